//! `tell.webhook` and `tell.mail` in whole files.

use super::*;
use crate::plan::model::tell::MailSecurity;

fn telling(tell: &str) -> String {
    etl_with(&format!("tell:\n{tell}"))
}

#[test]
fn who_is_told_of_changes() {
    let text = telling(
        "  webhook: {url: \"https://h/hooks/${HOOK}\", headers: {X-Token: \"{{${HOOK}\"}}
  mail:
    server: smtps://mail.example.com
    user: etl
    password: \"${PASSWORD}\"
    from: Planer <etl@example.com>
    to: [ops@example.com]\n",
    );
    let directory = directory(&[("etl-orch.yaml", &text), ("monitored_institutions.yaml", BANKS)]);
    let (hook, password) = ("B0123456789abcdefgh", "p@ss/w:rd#1%41{}");
    let config = load_in(directory.path(), &[("HOOK", hook), ("PASSWORD", password)]).unwrap();
    let webhook = config.tell.webhook.unwrap();
    assert_eq!((webhook.url.to_string().as_str(), webhook.url.expose()), ("https://h/...", "https://h/hooks/B0123456789abcdefgh"));
    assert_eq!(webhook.headers[0].1.expose_secret(), "{B0123456789abcdefgh");
    let mail = config.tell.mail.unwrap();
    let server = mail.server;
    assert_eq!((server.security, server.host.as_str(), server.port), (MailSecurity::Tls, "mail.example.com", 465));
    let (user, of_user) = mail.login.unwrap();
    assert_eq!((user.as_str(), of_user.expose_secret()), ("etl", password));
    assert_eq!((mail.from.as_str(), mail.subject_prefix.as_str()), ("Planer <etl@example.com>", "[etl-orch]"));
    assert_eq!(config.secrets.clean(&format!("{hook} {password}")), "[redacted] [redacted]");
}

#[test]
fn mistakes_of_who_is_told_of_changes() {
    let one = telling(
        "  webhook: {urls: x, headers: {\"a b\": c}}
  mail:
    server: smtps://u:s3cret@h
    user: etl
    from: nobody
    to: [a@b.example, \"c\\nBcc: d@e.example\"]
    subject_prefix: \"a\\nb\"\n",
    );
    let other = telling("  mail: {server: mail.example.com:25, password: s3cret, to: []}\n");
    insta::assert_snapshot!(format!("{}\n\n{}", errors(&one), errors(&other)), @r#"
    etl-orch.yaml:8:13: unknown key "urls" in tell.webhook; did you mean url?
    etl-orch.yaml:8:32: "a b" cannot name a header; write letters, digits and "-"
    etl-orch.yaml:9:3: tell.mail has a user and no password; write password: "${MAIL_PASSWORD}"
    etl-orch.yaml:10:13: tell.mail.server has a user or a password in it; put them into user: and password:
    etl-orch.yaml:12:11: "nobody" is no address of mail; write NAME@HOST, or "Name <NAME@HOST>"
    etl-orch.yaml:13:23: "c\nBcc: d@e.example" is no address of mail; write NAME@HOST, or "Name <NAME@HOST>"
    etl-orch.yaml:14:21: tell.mail.subject_prefix holds a control character; remove it

    etl-orch.yaml:8:3: tell.mail has a password and no user; write user: NAME
    etl-orch.yaml:8:3: tell.mail.from is missing; write who sends the mail, etl-orch@HOST
    etl-orch.yaml:8:18: tell.mail.server must be smtps://HOST or smtp://HOST, and may name a port
    etl-orch.yaml:8:57: tell.mail.to is empty; write whom the mail goes to, [ops@HOST]
    "#);
}
