//! What must hold for any bytes: one function for each target of the fuzzer. `tests/api/fuzz_seeds.rs` plays the seeds
//! through the same functions.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "each target uses one; a panic is the finding")]

use serde_json::Value as Json;
use stackmotion::api::{Args, Envelope, Format, Node, Reply};
use stackmotion::auth::dialect::verify;
use stackmotion::auth::signature;
use stackmotion::http::merge;
use stackmotion::hypervisors::hyperv::wire;

use super::xml;

type Pairs = Vec<(String, String)>;

fn borrowed(pairs: &Pairs) -> impl DoubleEndedIterator<Item = (&str, &str)> + Clone {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Splits at the first zero byte.
fn halves(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => (&bytes[..at], &bytes[at + 1..]),
        None => (bytes, b""),
    }
}

/// Query and form, split by a zero byte: each name once, and what was read can be written and is read again the same.
pub fn query(bytes: &[u8]) {
    let (query, form) = halves(bytes);
    let Ok(pairs) = merge(query, form) else { return };
    for (at, (name, _)) in pairs.iter().enumerate() {
        assert!(pairs[..at].iter().all(|(known, _)| known != name), "{name:?} is there twice");
    }
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let items: Vec<_> = pairs.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
    assert_eq!(merge(items.join("&").as_bytes(), b"").unwrap(), pairs);
}

/// Parameters: the text that is signed is lower case, independent of their order and of the signature; the right
/// signature is believed and no other.
pub fn signing(bytes: &[u8]) {
    let (query, form) = halves(bytes);
    let Ok(pairs) = merge(query, form) else { return };
    let text = signature::string_to_sign(borrowed(&pairs));
    assert_eq!(text, signature::string_to_sign(borrowed(&pairs).rev()));
    assert!(!text.bytes().any(|byte| byte.is_ascii_uppercase()));
    let right = signature::sign("secret", &text);
    // Letters in names that would let one text stand for two requests are refused, whatever the signature.
    let unambiguous = pairs.iter().all(|(name, _)| !name.contains(['&', '=', '\u{212a}']));
    assert_eq!(verify("secret", borrowed(&pairs), &right).is_some(), unambiguous);
    assert!(verify("other", borrowed(&pairs), &right).is_none());
    assert!(verify("secret", borrowed(&pairs), &right[1..]).is_none());
}

/// Parameters as commands read them: what is understood can be stored with a job and is read back the same.
pub fn maps(bytes: &[u8]) {
    let Ok(pairs) = merge(bytes, b"") else { return };
    match Args::unpack(borrowed(&pairs)) {
        Ok(args) => {
            let stored = args.pairs();
            assert_eq!(Args::unpack(borrowed(&stored)).unwrap(), args);
        }
        Err(error) => assert_eq!(error.code.number(), 430),
    }
}

/// JSON from anywhere, printed as an answer: the JSON is JSON, the XML is well formed, and no text becomes markup.
pub fn documents(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Json>(bytes) else { return };
    let text = value.to_string();
    let fields = vec![("plain".into(), text.clone().into()), ("list".into(), Node::List(vec![text.clone().into()]))];
    let reply = Reply::One { object: "thing", node: Node::Object(fields) };
    let printed = |format| {
        let body = Envelope { name: "anyresponse", format, version: Some("1") }.reply(&reply);
        String::from_utf8(body.into()).unwrap()
    };
    let json: Json = serde_json::from_str(&printed(Format::Json)).unwrap();
    assert_eq!(json["anyresponse"]["thing"]["plain"], text.as_str());
    let tree = xml::tree(&printed(Format::Xml));
    let thing = &tree["anyresponse"]["thing"];
    let harmless: String = text.chars().map(|letter| if is_xml(letter) { letter } else { '\u{fffd}' }).collect();
    assert_eq!((&thing["plain"], &thing["list"]), (&Json::from(harmless.as_str()), &Json::from(harmless.as_str())));
    let mut stored = Vec::new();
    Node::from_json(&value).write_json(&mut stored);
    serde_json::from_slice::<Json>(&stored).unwrap();
}

fn is_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Answers of agents: read or refused, and what was read is written in pure ASCII.
pub fn agent(bytes: &[u8]) {
    fn read<C: wire::Command>(bytes: &[u8])
    where
        C::Answer: std::fmt::Debug,
    {
        if let Err(error) = wire::decode::<C>(bytes) {
            assert!(error.to_string().len() < 64 * 1024, "an error must be readable");
        }
    }
    read::<wire::vms::MigrateVolumeCommand>(bytes);
    read::<wire::vms::MigrateWithStorageCommand>(bytes);
    read::<wire::host::StartupCommand>(bytes);
    read::<wire::host::HostVmStateReportCommand>(bytes);
    read::<wire::host::GetHostStatsCommand>(bytes);
    read::<wire::host::GetVmStatsCommand>(bytes);
    read::<wire::extension::MotionStatusCommand>(bytes);
    read::<wire::extension::VmDisksCommand>(bytes);
    read::<wire::extension::FileFactsCommand>(bytes);
    if let Ok(value) = serde_json::from_slice::<Json>(bytes) {
        assert!(wire::to_ascii(&value).unwrap().is_ascii());
    }
}
