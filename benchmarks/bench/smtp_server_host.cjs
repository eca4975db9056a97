// A process with nodemailer's smtp-server in it, keeping every message: node smtp_server_host.cjs TLS CERTIFICATE KEY
"use strict";

const fs = require("fs");
const readline = require("readline");
const { SMTPServer } = require("smtp-server");

const [tls, certificate, key] = process.argv.slice(2);
let kept = [];

const server = new SMTPServer({
    secure: tls === "implicit",
    cert: fs.readFileSync(certificate),
    key: fs.readFileSync(key),
    authOptional: true,
    disabledCommands: tls === "clear" ? ["STARTTLS"] : [],
    disableReverseLookup: true,
    onData(stream, session, callback) {
        const chunks = [];
        stream.on("data", chunk => chunks.push(chunk));
        stream.on("end", () => {
            kept.push({ envelope: session.envelope, content: Buffer.concat(chunks) });
            callback();
        });
    },
});

server.on("error", () => {}); // a client that goes away is no reason to end
const say = value => console.log(JSON.stringify({ value }));
server.listen(0, "127.0.0.1", () => say(server.server.address().port));

const requests = {
    clear() {
        kept = [];
        return null;
    },
    count: () => kept.length,
};

readline
    .createInterface({ input: process.stdin })
    .on("line", line => say(requests[JSON.parse(line).do]()))
    .on("close", () => process.exit(0));
