# What Net::SMTP knows beyond one message: BDAT, delivery reports, VRFY. Prints a JSON list of [step, reply code].
use strict;
use warnings;
use JSON::PP;
use MIME::Base64;
use Net::SMTP;

my $job = decode_json(do { local $/; <STDIN> });
my $client = Net::SMTP->new($ENV{SMTP_HOST}, Port => $ENV{SMTP_PORT}, Hello => "perl.example", Timeout => 10) or die $@;
my @steps;

sub note { push @steps, [shift, 0 + $client->code] }

my %scenarios = (
    chunks => sub {
        my @chunks = map { decode_base64($_) } @{ $job->{chunks} };
        my $last = pop @chunks;
        $client->mail($job->{mail_from}, Bits => "binary");
        note("MAIL");
        $client->recipient($job->{rcpt_to});
        note("RCPT");
        for my $chunk (@chunks) { $client->bdat($chunk); note("BDAT") }
        $client->bdatlast($last);
        note("BDAT LAST");
    },
    dsn => sub {
        $client->mail($job->{mail_from}, Return => "FULL", Envelope => "order+42 =", Bits => 8, Size => 1234);
        note("MAIL");
        $client->recipient($job->{rcpt_to}, { Notify => ["SUCCESS", "DELAY"], ORcpt => "rfc822;ada+2Bshop\@example.com" });
        note("RCPT");
        $client->data("Subject: DSN\r\n\r\nHello\r\n");
        note("DATA");
    },
    talk => sub {
        $client->verify($job->{rcpt_to});
        note("VRFY");
        $client->expand("list");
        note("EXPN");
        $client->help("MAIL");
        note("HELP");
        $client->reset;
        note("RSET");
    },
);
$scenarios{ $job->{scenario} }->();
$client->quit;
note("QUIT");
print encode_json({ steps => \@steps });
