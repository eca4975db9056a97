# Perl's Net::SMTP.
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use Encode qw(encode_utf8);
use Authen::SASL;
use Net::SMTP;

my $job = decode_json(do { local $/; <STDIN> });
my $client;

sub give_up {
    my $text = $client ? join(" ", $client->code, $client->message) : "";
    print encode_json({ error => shift, text => "$text $@ " . ($IO::Socket::SSL::SSL_ERROR // "") });
    exit 1;
}

my $implicit = $job->{tls} eq "implicit";
$client = Net::SMTP->new(
    $ENV{SMTP_HOST},
    Port    => $ENV{SMTP_PORT},
    Hello   => "perl.example",
    Timeout => 10,
    SSL     => $implicit,
) or give_up("connect");
$implicit or $client->starttls or give_up("starttls");
my $sasl = Authen::SASL->new(
    mechanism => $job->{method},
    callback  => { user => $job->{user}, authname => "", pass => $job->{password} },
);
$client->auth($sasl) or give_up("auth");
$client->mail($job->{mail_from}) or give_up("mail");
$client->to($job->{rcpt_to}) or give_up("to");
$client->data(encode_utf8($job->{message})) or give_up("data");
$client->quit;
print encode_json({ sent => encode_base64(encode_utf8($job->{message}), "") });
