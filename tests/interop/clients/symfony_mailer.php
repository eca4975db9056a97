<?php
// Symfony Mailer, which is also Laravel's.
require 'Symfony/Component/Mailer/autoload.php';

use Symfony\Component\Mailer\Transport\Smtp\EsmtpTransport;
use Symfony\Component\Mime\Email;

$job = json_decode(file_get_contents('php://stdin'), true);
// Without a word about TLS it upgrades where STARTTLS is offered, and verifies.
$implicit = $job['tls'] === 'implicit' ? true : null;
$transport = new EsmtpTransport(getenv('SMTP_HOST'), (int) getenv('SMTP_PORT'), $implicit);
$transport->getStream()->setTimeout(10);
$transport->setUsername($job['user']);
$transport->setPassword($job['password']);
try {
    $sent = $transport->send(
        (new Email())->from($job['mail_from'])->to($job['rcpt_to'])->subject($job['subject'])->text($job['text'])
    );
} catch (Exception $error) {
    echo json_encode(['error' => get_class($error), 'code' => $error->getCode(), 'text' => $error->getMessage()]);
    exit(1);
}
echo json_encode(['sent' => base64_encode($sent->toString())]);
