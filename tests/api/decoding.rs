//! The table of texts for parameters (`contract/api-protocol.md 5`), on a command made for the purpose.

use std::collections::HashMap;
use std::future::ready;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use stackmotion::api::{ApiError, Args, Bare, BoxError, Id, Ids, Input, Page, Params, Rows, SuccessView};
use stackmotion::model::Timestamp;
use stackmotion::model::entity::{EntityKind, StoragePoolRef, VolumeRef};

const VOLUME: &str = "74589b0c-4110-4528-9b34-60b46e8be525";
const NOT_FOUND: &str = "due to incorrect long value format, or entity does not exist or due to incorrect parameter annotation for the field in api cmd class.";

stackmotion::command! {
    /// Tries every kind of parameter.
    pub struct Everything {
        /// A volume.
        volume_id "volumeid": Id<VolumeRef>,
        /// A name.
        name: Option<String> [java("volumeName"), length(5)],
        /// A switch.
        live: Option<bool>,
        /// A small number.
        small: Option<i32>,
        /// A large number.
        large: Option<i64>,
        /// A time.
        start_date "startdate": Option<Timestamp>,
        /// Many volumes.
        ids: Option<Vec<Id<VolumeRef>>>,
        /// Many words.
        details: Option<Vec<String>>,
        /// A pool of the newer kind.
        pool_id "poolid": Option<Id<StoragePoolRef>> [since("4.9")],
        /// Rows.
        migrate_to "migrateto": Option<Rows>,
        /// The page.
        page: Page,
    }
    name "tryEverything", kind Sync, http Post, response Bare<SuccessView>, roles [Admin],
    java "org.example.TryEverythingCmd"
}

/// Knows one volume, and can be told to fail.
struct OneVolume {
    is_broken: bool,
}

impl Ids for OneVolume {
    fn internal_id<'a>(&'a self, entity: EntityKind, uuid: &'a str) -> BoxFuture<'a, Result<Option<i64>, BoxError>> {
        Box::pin(async move {
            if self.is_broken {
                return Err("table volumes is gone".into());
            }
            Ok((entity == EntityKind::Volume && uuid.eq_ignore_ascii_case(VOLUME)).then_some(7))
        })
    }
}

async fn decode_with(ids: &OneVolume, pairs: &[(&str, &str)]) -> Result<Everything, ApiError> {
    let args = Args::unpack(pairs.iter().copied())?;
    Everything::decode(&Input { command: "tryeverything", args: &args, ids, is_root: true, default_page_size: 500 })
        .await
}

/// Decodes with a good volume in front.
async fn decode(pairs: &[(&str, &str)]) -> Result<Everything, ApiError> {
    let mut all = vec![("volumeid", VOLUME)];
    all.extend_from_slice(pairs);
    decode_with(&OneVolume { is_broken: false }, &all).await
}

async fn refusal(pairs: &[(&str, &str)]) -> String {
    let error = decode_with(&OneVolume { is_broken: false }, pairs).await.expect_err("it should be refused");
    format!("{}/{} {}", error.code.number(), error.cs_code.unwrap_or(0), error.text)
}

async fn refusal_of(name: &str, value: &str) -> String {
    refusal(&[("volumeid", VOLUME), (name, value)]).await
}

#[tokio::test]
async fn good_values() {
    let all = decode(&[
        ("NAME", "ab\ncd"),
        ("live", "TRUE"),
        ("small", "-5"),
        ("large", "+9223372036854775807"),
        ("startdate", "2030-01-02T03:04:05+0100"),
        ("ids", &format!("{VOLUME},,12")),
        ("details", "all,,min"),
        ("migrateTo[7].pool", "p"),
        ("migrateto[7].volume", "v"),
        ("migrateto[-1].volume", "w"),
        ("keyword", "k"),
        ("page", "2"),
        ("pagesize", "10"),
        ("nobody", "knows"),
    ])
    .await
    .unwrap();
    assert_eq!(all.volume_id.number(), 7);
    assert_eq!(all.name.as_deref(), Some("ab\ncd"));
    assert_eq!((all.live, all.small, all.large), (Some(true), Some(-5), Some(i64::MAX)));
    assert_eq!(all.start_date.unwrap().wire(), "2030-01-02T02:04:05+0000");
    assert_eq!(all.ids.unwrap().iter().map(Id::number).collect::<Vec<_>>(), [7, 12]);
    assert_eq!(all.details.unwrap(), ["all", "min"]);
    let rows = all.migrate_to.unwrap().0;
    assert_eq!((rows[0].index, rows[0].get("volume")), (-1, Some("w")));
    assert_eq!((rows[1].get("pool"), rows[1].get("volume")), (Some("p"), Some("v")));
    assert_eq!(all.page, Page { keyword: Some("k".into()), offset: 10, limit: Some(10), is_chosen: true });
}

#[tokio::test]
async fn values_that_count_as_not_given() {
    let all = decode(&[("small", " "), ("poolid", "abc"), ("live", "maybe"), ("ids", ",")]).await.unwrap();
    assert_eq!((all.small, all.pool_id, all.live), (None, None, Some(false)));
    assert_eq!(all.ids, Some(vec![]));
}

#[tokio::test]
async fn ids() {
    let old =
        |raw: &'static str| async move { decode_with(&OneVolume { is_broken: false }, &[("volumeid", raw)]).await };
    assert_eq!(old("4711").await.unwrap().volume_id.number(), 4711, "numbers are not looked up");
    assert_eq!(old("-1").await.unwrap().volume_id.number(), -1);
    assert_eq!(
        refusal(&[("volumeid", "0")]).await,
        "431/9999 Unable to execute API command tryeverything due to invalid value. Invalid value provided for API arg: volumeid"
    );
    for raw in
        ["abc", "11111111-2222-4333-8444-555555555555", "x11111111-2222-4333-8444-555555555555y", "9223372036854775808"]
    {
        assert_eq!(
            refusal(&[("volumeid", raw)]).await,
            format!(
                "431/9999 Unable to execute API command tryeverything due to invalid value. Invalid parameter volumeid value={raw} {NOT_FOUND}"
            )
        );
    }
    assert_eq!(
        refusal_of("ids", "7,abc").await,
        format!(
            "431/9999 Unable to execute API command tryeverything due to invalid value. Invalid parameter ids value=abc {NOT_FOUND}"
        )
    );
    assert_eq!(
        refusal_of("poolid", "").await,
        format!(
            "431/9999 Unable to execute API command tryeverything due to invalid value. Invalid parameter poolid value= {NOT_FOUND}"
        )
    );
}

/// Knows every id, and counts how often it is asked.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Ids for Counted {
    fn internal_id<'a>(&'a self, _: EntityKind, _: &'a str) -> BoxFuture<'a, Result<Option<i64>, BoxError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(ready(Ok(Some(1))))
    }

    fn internal_ids<'a>(
        &'a self,
        _: EntityKind,
        uuids: &'a [&'a str],
    ) -> BoxFuture<'a, Result<HashMap<String, i64>, BoxError>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(ready(Ok(uuids.iter().zip(1..).map(|(uuid, number)| ((*uuid).to_owned(), number)).collect())))
    }
}

#[tokio::test]
async fn a_list_of_ids_costs_one_question_and_has_an_end() {
    let counted = Counted::default();
    let ask = async |ids: Vec<String>| {
        let ids = ids.join(",");
        let args = Args::unpack([("volumeid", "1"), ("ids", ids.as_str())]).unwrap();
        let input =
            Input { command: "tryeverything", args: &args, ids: &counted, is_root: true, default_page_size: 500 };
        Everything::decode(&input).await.map(|all| all.ids.unwrap().len())
    };
    let asked = || counted.0.swap(0, Ordering::SeqCst);
    let id = |number: usize| format!("74589b0c-4110-4528-9b34-{number:012}");
    assert_eq!(ask(vec![VOLUME.to_owned(); 28_000]).await.unwrap(), 1, "each once");
    assert_eq!(asked(), 1);
    assert_eq!(ask((0..1000).map(id).collect()).await.unwrap(), 1000);
    assert_eq!(asked(), 1);
    let refused = ask((0..1001).map(id).collect()).await.unwrap_err();
    assert_eq!(refused.code.number(), 431);
    assert!(refused.text.contains("Parameter ids names 1001 ids, and one call may name 1000"), "{}", refused.text);
    assert_eq!(asked(), 0, "nothing is looked up");
    // As many numbers would make as long a statement.
    assert_eq!(ask((1..1002).map(|number: usize| number.to_string()).collect()).await.unwrap_err().code.number(), 431);
}

#[tokio::test]
async fn texts_of_refusals() {
    let expected = [
        (refusal(&[]).await, "431/9999 Unable to execute API command tryeverything due to missing parameter volumeid"),
        (refusal(&[("volumeid", "")]).await, "431/4350 Invalid value provided for API arg: volumeid"),
        (
            refusal_of("small", "abc").await,
            "431/9999 Unable to execute API command tryeverything due to invalid value abc for parameter small",
        ),
        (
            refusal_of("small", "2147483648").await,
            "431/9999 Unable to execute API command tryeverything due to invalid value 2147483648 for parameter small",
        ),
        (
            refusal_of("large", "").await,
            "431/9999 Unable to execute API command tryeverything due to invalid value  for parameter large",
        ),
        (
            refusal_of("startdate", "soon").await,
            "431/9999 Unable to parse date soon for command tryeverything, please pass dates in the format mentioned in the api documentation",
        ),
        (
            refusal_of("name", "abcdef").await,
            "431/9999 Unable to execute API command tryeverything due to invalid value. Value greater than max allowed length 5 for param: volumeName",
        ),
        (refusal_of("pagesize", "").await, "431/9999 For input string: \"\""),
        (
            refusal_of("page", "abc").await,
            "431/9999 Unable to execute API command tryeverything due to invalid value abc for parameter page",
        ),
        (refusal_of("page", "1").await, "431/9999 \"pagesize\" parameter is required when \"page\" is specified"),
    ];
    for (actual, text) in expected {
        assert_eq!(actual, text);
    }
    assert!(refusal_of("migrateto[0]", "x").await.starts_with("430/9999 Unable to decode parameter migrateto[0];"));
}

#[tokio::test]
async fn lengths_count_utf16_units() {
    assert!(decode(&[("name", "äöüßé")]).await.is_ok());
    assert!(decode(&[("name", "😀😀😀")]).await.is_err());
}

#[tokio::test]
async fn the_first_parameter_in_the_declaration_is_reported() {
    assert!(refusal(&[("small", "x"), ("volumeid", "abc")]).await.contains("Invalid parameter volumeid"));
    assert!(refusal_of("large", "x").await.contains("large"));
    assert!(refusal(&[("volumeid", VOLUME), ("large", "x"), ("small", "y")]).await.contains("small"));
}

#[tokio::test]
async fn a_database_that_fails_is_not_taken_for_an_unknown_id() {
    let error = decode_with(&OneVolume { is_broken: true }, &[("volumeid", VOLUME)]).await.unwrap_err();
    assert_eq!(error.code.number(), 530);
    assert!(!error.text.contains("table"), "the cause is for the log: {}", error.text);
    assert!(error.cause.is_some());
}
