// What the JavaScript clients share: the job comes in on stdin, what happened goes out on stdout, both as JSON.
"use strict";
const fs = require("node:fs");

exports.job = JSON.parse(fs.readFileSync(0, "utf-8"));
exports.host = process.env.SMTP_HOST;
exports.port = Number(process.env.SMTP_PORT);

// `send` returns the bytes that went out, or an object to report as it is.
exports.main = async (send) => {
  try {
    const result = await send();
    console.log(JSON.stringify(Buffer.isBuffer(result) ? { sent: result.toString("base64") } : result));
  } catch (error) {
    const { code, responseCode, response, rejected, message } = error;
    console.log(JSON.stringify({ error: code ?? error.name, responseCode, response, rejected, text: message }));
    process.exitCode = 1;
  }
};
