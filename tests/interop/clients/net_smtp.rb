# Ruby's net/smtp.
require "json"
require "net/smtp"

job = JSON.parse($stdin.read)
client = Net::SMTP.new(ENV.fetch("SMTP_HOST"), Integer(ENV.fetch("SMTP_PORT")))
client.open_timeout = client.read_timeout = 10
if job["tls"] == "implicit"
  client.enable_tls
else
  client.enable_starttls
end

method = job["method"].downcase.tr("-", "_").to_sym

begin
  client.start(helo: "ruby.example", user: job["user"], secret: job["password"], authtype: method) do |smtp|
    smtp.send_message(job["message"], job["mail_from"], job["rcpt_to"])
  end
rescue StandardError => error
  puts JSON.generate(error: error.class.name, text: error.message.strip)
  exit 1
end
puts JSON.generate(sent: [job["message"]].pack("m0"))
