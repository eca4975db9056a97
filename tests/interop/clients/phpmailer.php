<?php
// PHPMailer.
require 'libphp-phpmailer/autoload.php';

use PHPMailer\PHPMailer\PHPMailer;

$job = json_decode(file_get_contents('php://stdin'), true);
$mail = new PHPMailer(true);
try {
    $mail->isSMTP();
    $mail->Host = getenv('SMTP_HOST');
    $mail->Port = (int) getenv('SMTP_PORT');
    $mail->Timeout = 10;
    $mail->SMTPSecure = $job['tls'] === 'implicit' ? PHPMailer::ENCRYPTION_SMTPS : PHPMailer::ENCRYPTION_STARTTLS;
    $mail->SMTPAuth = true;
    $mail->AuthType = $job['method'];
    $mail->Username = $job['user'];
    $mail->Password = $job['password'];
    $mail->CharSet = PHPMailer::CHARSET_UTF8;
    $mail->setFrom($job['mail_from']);
    $mail->addAddress($job['rcpt_to']);
    $mail->Subject = $job['subject'];
    $mail->Body = $job['text'];
    $mail->send();
} catch (Exception $error) {
    echo json_encode(['error' => get_class($error), 'text' => $error->getMessage()]);
    exit(1);
}
echo json_encode(['sent' => base64_encode($mail->getSentMIMEMessage())]);
