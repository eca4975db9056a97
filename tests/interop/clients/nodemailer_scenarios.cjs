// What nodemailer can do beyond one message. The job's "scenario" picks one; each resolves to what is to be reported.
"use strict";
const nodemailer = require("nodemailer");
const { job, host, port, main } = require("./_job.cjs");

const transport = (options) => nodemailer.createTransport({ host, port, ...options });
const mail = { from: job.mail_from, to: job.rcpt_to, subject: job.subject, text: job.text };
const summary = ({ accepted, rejected, response, envelope, rejectedErrors = [] }) => ({
  accepted,
  rejected,
  response,
  envelope,
  reasons: rejectedErrors.map((error) => [error.recipient, error.responseCode, error.response]),
});

const sendOne = async (options, changes) => {
  const sender = transport(options);
  try {
    return summary(await sender.sendMail({ ...mail, ...changes }));
  } finally {
    sender.close();
  }
};

const scenarios = {
  plain: () => sendOne({ ignoreTLS: true }),

  starttls_required: () => sendOne({ requireTLS: true }),

  two_recipients: () => sendOne({}, { to: [job.rcpt_to, "bob@example.com"] }),

  lmtp: () => sendOne({ lmtp: true }, { to: [job.rcpt_to, "bob@example.com"] }),

  smtputf8: () => sendOne({}, { to: "jörg@example.com" }),

  dsn: () =>
    sendOne(
      {},
      { dsn: { id: "order+42", return: "headers", notify: ["failure", "delay"], recipient: "ops@example.com" } },
    ),

  attachments: () =>
    sendOne(
      {},
      {
        html: "<p>See the files.</p>",
        attachments: [
          { filename: "numbers.csv", content: "a,b\r\n1,2\r\n" },
          { filename: "Übersicht 日本.bin", content: Buffer.from(Array.from({ length: 256 }, (_, i) => i)) },
        ],
      },
    ),

  pool: async () => {
    const pool = transport({ pool: true, maxConnections: 2, maxMessages: 5 });
    const subjects = Array.from({ length: 20 }, (_, i) => `message ${i}`);
    try {
      const sent = await Promise.all(subjects.map((subject) => pool.sendMail({ ...mail, subject })));
      return { responses: sent.map(({ response }) => response) };
    } finally {
      pool.close();
    }
  },
};

main(() => scenarios[job.scenario]());
