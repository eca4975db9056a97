// Two mails over one transport; says which recipients were rejected, and why.
"use strict";
const nodemailer = require("nodemailer");
const job = JSON.parse(require("node:fs").readFileSync(0, "utf8"));

(async () => {
  const wait = job.timeout * 1000;
  const transport = nodemailer.createTransport({
    host: process.env.SMTP_HOST,
    port: Number(process.env.SMTP_PORT),
    requireTLS: true,
    auth: { user: job.user, pass: job.password },
    connectionTimeout: wait,
    greetingTimeout: wait,
    socketTimeout: wait,
  });
  const said = [];
  for (const [subject, to] of job.mails) {
    try {
      const info = await transport.sendMail({ from: job.user, to, subject, text: "Hello." });
      for (const error of info.rejectedErrors ?? []) said.push([error.recipient, error.response ?? error.message]);
    } catch (error) {
      for (const address of to) said.push([address, error.response ?? error.message]);
    }
  }
  transport.close();
  console.log(JSON.stringify(said));
})();
