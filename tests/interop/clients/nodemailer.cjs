// nodemailer, once from job to delivery. Its other abilities are in nodemailer_*.cjs.
"use strict";
const nodemailer = require("nodemailer");
const { job, host, port, main } = require("./_job.cjs");

const login =
  job.method === "XOAUTH2"
    ? { auth: { type: "OAuth2", user: job.user, accessToken: job.password } }
    : { auth: { user: job.user, pass: job.password }, authMethod: job.method };
const mail = {
  from: job.mail_from,
  to: job.rcpt_to,
  subject: job.subject,
  text: job.text,
  messageId: "<1@app.example.com>",
  date: new Date(0),
};

main(async () => {
  const transport = nodemailer.createTransport({
    host,
    port,
    secure: job.tls === "implicit",
    requireTLS: job.tls === "starttls",
    ...login,
  });
  try {
    await transport.sendMail(mail);
  } finally {
    transport.close();
  }
  const composer = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: "windows" });
  return (await composer.sendMail(mail)).message;
});
