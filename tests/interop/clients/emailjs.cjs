// emailjs.
"use strict";
const { pathToFileURL } = require("node:url");
const { job, host, port, main } = require("./_job.cjs");

main(async () => {
  const { SMTPClient, Message } = await import(pathToFileURL(require.resolve("emailjs")));
  const client = new SMTPClient({
    host,
    port,
    user: job.user,
    password: job.password,
    authentication: [job.method],
    ssl: job.tls === "implicit",
    tls: job.tls === "starttls",
    timeout: 10000,
  });
  const message = new Message({
    from: job.mail_from,
    to: job.rcpt_to,
    subject: job.subject,
    text: job.text,
  });
  try {
    await client.sendAsync(message);
  } finally {
    client.smtp.close();
  }
  return Buffer.from(await message.readAsync());
});
