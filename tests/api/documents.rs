//! Files in the repository that are made from the program must be up to date.

fn assert_is_fresh(path: &str, made: &str, how: &str) {
    let full = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    let committed = std::fs::read_to_string(&full).unwrap_or_default();
    assert!(committed == made, "{path} is stale; make it anew with: {how} > {path}");
}

#[test]
fn the_openapi_document() {
    assert_is_fresh("openapi/stackmotion.json", &stackmotion::commands::openapi(), "cargo run -- openapi");
}

#[test]
fn the_configuration_page() {
    assert_is_fresh("docs/configuration.md", &stackmotion::settings::markdown(), "cargo run -- config --markdown");
}

#[test]
fn the_page_about_state_machines() {
    let page = stackmotion::model::states::markdown() + &stackmotion::motion::saga_markdown();
    assert_is_fresh("docs/state-machines.md", &page, "cargo run -- states");
}

#[test]
fn the_openapi_document_is_whole() {
    let document: serde_json::Value = serde_json::from_str(&stackmotion::commands::openapi()).expect("JSON");
    let mut references = Vec::new();
    collect(&document, &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let paths = document["paths"].as_object().expect("paths");
    assert_eq!(paths.len(), stackmotion::commands::COMMANDS.len());
    let ids: Vec<_> = paths
        .values()
        .flat_map(|path| [path.get("get"), path.get("post")])
        .flatten()
        .map(|operation| &operation["operationId"])
        .collect();
    for (at, id) in ids.iter().enumerate() {
        assert!(id.is_string() && !ids[..at].contains(id), "operationId {id} is not unique");
    }
}

fn collect(value: &serde_json::Value, references: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members {
                match member {
                    serde_json::Value::String(text) if name == "$ref" => references.push(text.clone()),
                    other => collect(other, references),
                }
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
