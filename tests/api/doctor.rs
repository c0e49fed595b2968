//! `stackmotion doctor signature` as a process: what it prints, how it ends.

use std::process::Command;

use serde_json::Value as Json;
use stackmotion::auth::signature::{sign, string_to_sign};
use stackmotion::http::parse_pairs;
use stackmotion::model::Timestamp;

use crate::support::raw_http::escape;

const SECRET: &str = "GwTestSecret-abcdefghijklmnopqrstuvwxyz_9876543210";
/// `contract/api-protocol.md 2.3`, V1.
const V1: &str = "command=listHosts&response=json&apiKey=GwTestApiKey-0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZ&signature=bILgkeGyUcKRd2fhl6gbgHE6aJA%3D";
const V1_SIGNATURE: &str = "bILgkeGyUcKRd2fhl6gbgHE6aJA=";

/// Runs it without anything of the tester's own; gives exit code, standard output, standard error.
fn doctor(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stackmotion"));
    command.args(["doctor", "signature"]).args(arguments);
    command.env_clear().env("HOME", "/nonexistent").envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn with_secret(request: &str) -> (i32, String, String) {
    doctor(&[request], &[("STACKMOTION_SECRETKEY", SECRET)])
}

/// A query with the signature of a text that is `spelled` anew.
fn query(unsigned: &str, spelled: impl Fn(&str) -> String) -> String {
    let pairs = parse_pairs(unsigned.as_bytes()).unwrap();
    let text = string_to_sign(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    format!("{unsigned}&signature={}", escape(&sign(SECRET, &spelled(&text))))
}

#[test]
fn a_signature_that_fits() {
    for request in [V1.to_owned(), format!("http://h:8080/client/api?{V1}"), format!("GET /client/api?{V1} HTTP/1.1")] {
        let (code, output, errors) = with_secret(&request);
        assert_eq!((code, errors.as_str()), (0, ""), "{output}");
        for words in ["command", "query  listHosts", "  response=json\n", "the signature fits", "no time limit"] {
            assert!(output.contains(words), "{words}: {output}");
        }
        assert!(!output.contains(SECRET) && !output.contains(V1_SIGNATURE), "{output}");
        assert!(!output.contains("BAD"), "{output}");
    }
}

#[test]
fn the_text_to_sign_stands_line_by_line_and_is_the_vectors() {
    let unsigned = "command=listVolumes&Response=JSON&apiKey=K&Keyword=ABC%2Fdef%3F%3D%26%25&ZoneId=Z&account=a";
    let (code, output, _) = with_secret(&query(unsigned, str::to_owned));
    assert_eq!(code, 0, "{output}");
    let lines = "  keyword=abc%2fdef%3f%3d%26%25\n  response=json\n  zoneid=z\n  account=a\n  apikey=k\n  command=listvolumes\n\n";
    assert!(output.contains(lines), "{output}");
}

#[test]
fn a_post_is_read_from_query_and_body() {
    let (path, body) = ("http://h/client/api?command=listHosts", V1.split_once('&').unwrap().1);
    let environment = [("STACKMOTION_SECRETKEY", SECRET)];
    let (code, output, _) = doctor(&[path, "--post-body", body], &environment);
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("query  listHosts") && output.contains("body   json"), "{output}");
    assert_eq!(doctor(&[path], &environment).0, 1, "without the body the rest is missing");
    let (code, output, _) = doctor(&[path, "--post-body", &format!("command=other&{body}")], &environment);
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("command is sent more than once"), "{output}");
}

#[test]
fn dialects_are_named_and_shown() {
    let unsigned = "command=listZones&response=json&apiKey=K&note=a~b+%5B1%5D*";
    let cases = [
        (0, "tilde-bare", query(unsigned, |text| text.replace("%7e", "~"))),
        (
            0,
            "tilde-and-brackets-bare",
            query(unsigned, |text| text.replace("%7e", "~").replace("%5b", "[").replace("%5d", "]")),
        ),
        (1, "star-encoded", query(unsigned, |text| text.replace('*', "%2a"))),
        (1, "blank-as-plus", query(unsigned, |text| text.replace("%20", "+"))),
    ];
    for (expected, dialect, request) in cases {
        let (code, output, _) = with_secret(&request);
        assert_eq!(code, expected, "{dialect}: {output}");
        assert!(output.contains(&format!("in the dialect {dialect}")), "{dialect}: {output}");
        assert!(
            output.contains("      note=a%7eb%20%5b1%5d*&") && output.contains("->  note=a~b%20%5b1%5d*&"),
            "{output}"
        );
        assert!(output.contains("blank-as-plus (refused)") && output.contains("tilde-bare (accepted)"), "{output}");
    }
}

#[test]
fn what_does_not_fit() {
    let at = |seconds: i64| Timestamp::from_unix(Timestamp::now().unix() + seconds).unwrap().wire();
    let limited = |expires: &str| format!("command=listHosts&apiKey=K&signatureVersion=3&expires={}", escape(expires));
    let right = str::to_owned;
    let cases = [
        (V1.replace("listHosts", "listZones"), "fits in no dialect"),
        (format!("{V1}&_=1"), "fits without _"),
        (query(&limited(&at(-120)), right), "expired 12"),
        (query(&limited("soon"), right), "accepted forms"),
        (query("command=listHosts&apiKey=K&signatureVersion=3", right), "expires is missing"),
        (query("command=listHosts&apiKey=K&a%26b=1", right), "ambiguous"),
        (query("apiKey=K", right), "BAD   command    is missing"),
        (query("command=listHosts", right), "BAD   apiKey     is missing"),
        ("command=listHosts&apiKey=K".to_owned(), "BAD   signature  is missing"),
        (format!("command=listHosts&apiKey=K&signature={}", "a".repeat(40)), "hexadecimal"),
    ];
    for (request, words) in cases {
        let (code, output, _) = with_secret(&request);
        assert_eq!(code, 1, "{words}: {output}");
        assert!(output.contains(words), "{words}: {output}");
        assert!(!output.contains(SECRET), "{output}");
    }
    let (code, output, _) = with_secret(&query(&limited(&at(500)), right));
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("s left by this machine's clock"), "{output}");
    let (code, output, _) = with_secret(&query("command=listhosts&apiKey=K", right));
    assert_eq!(code, 0, "{output}");
    assert!(output.contains("is listHosts meant?"), "{output}");
}

#[test]
fn without_a_secret_or_a_readable_request_nothing_can_be_said() {
    let (code, output, _) = doctor(&[V1], &[]);
    assert_eq!(code, 2, "{output}");
    assert!(output.contains("no secret is known") && output.contains("command=listhosts"), "{output}");
    let (code, output, errors) = with_secret("command=%zz");
    assert_eq!((code, output.as_str()), (2, ""));
    assert!(errors.contains("percent sign") && errors.contains("400"), "{errors}");
    assert_eq!(doctor(&[], &[]).0, 2);
    assert_eq!(doctor(&[V1, "--profile", "nowhere"], &[]).0, 2);
}

#[test]
fn secrets_come_from_flag_environment_or_profile() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".cmk")).unwrap();
    let key = "GwTestApiKey-0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let config = format!("[good]\napikey = {key}\nsecretkey = {SECRET}\n[other]\napikey = K2\nsecretkey = {SECRET}\n");
    std::fs::write(home.path().join(".cmk/config"), config).unwrap();
    let home = [("HOME", home.path().to_str().unwrap())];
    let (code, output, _) = doctor(&[V1, "--profile", "good"], &home);
    assert_eq!(code, 0, "{output}");
    let (code, output, _) = doctor(&[V1, "-p", "other"], &home);
    assert_eq!(code, 1, "the profile is that of another key: {output}");
    assert!(output.contains("is not the key that belongs to the secret used here"), "{output}");
    assert_eq!(doctor(&[V1, "-p", "other", "--secret-key", SECRET], &home).0, 0, "a flag goes for itself");
    assert_eq!(doctor(&[V1, "--secret-key", "wrong"], &[]).0, 1);
}

#[test]
fn the_signature_that_fits_is_shown_on_request_only() {
    let wrong = V1.replace("bILg", "cILg");
    let environment = [("STACKMOTION_SECRETKEY", SECRET)];
    assert!(!doctor(&[&wrong], &environment).1.contains(V1_SIGNATURE));
    let (code, output, _) = doctor(&[&wrong, "--show-signature"], &environment);
    assert_eq!(code, 1);
    assert!(output.contains(V1_SIGNATURE) && !output.contains(SECRET), "{output}");
    assert!(!doctor(&[&wrong, "--show-signature"], &[]).1.contains("that fits"), "nothing to make it with");
}

#[test]
fn json_says_the_same() {
    let (code, output, _) = doctor(&[V1, "--json", "--secret-key", SECRET], &[]);
    let report: Json = serde_json::from_str(&output).unwrap();
    assert_eq!((code, report["verdict"].as_str()), (0, Some("fits")), "{output}");
    assert_eq!(report["text_to_sign"][1], "command=listhosts");
    assert_eq!(report["parameters"][3]["value"], "__hidden__");
    assert!(
        report["checks"].as_array().unwrap().iter().any(|check| check["about"] == "fit" && check["verdict"] == "ok")
    );
    assert!(!output.contains(SECRET) && !output.contains(V1_SIGNATURE));
    let output = doctor(&[V1, "--json"], &[]).1;
    assert_eq!(serde_json::from_str::<Json>(&output).unwrap()["verdict"], "not known");
}
