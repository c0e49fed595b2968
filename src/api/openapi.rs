//! The OpenAPI document of a list of commands.
//!
//! CloudStack serves every command under one path. OpenAPI wants a path for each, so the document uses
//! `/client/api/<command>`, which the gateway accepts as well.

use serde_json::{Map, Value, json};

use super::param::{ParamSpec, ParamType};
use super::spec::{CommandSpec, FieldSpec, Http, Kind, ResponseSpec, Shape, printed};

/// The document for these commands, of OpenAPI 3.1.
pub fn document(commands: &[&'static CommandSpec], version: &str) -> Value {
    let mut paths = Map::new();
    let mut schemas = shared_schemas();
    for spec in commands {
        paths.insert(format!("/client/api/{}", spec.name), path(spec));
        add_schema(spec.response, &mut schemas);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "stackmotion",
            "version": version,
            "description": "A CloudStack-compatible API that moves running Hyper-V machines and their disks. \
                Every call is signed; see the security schemes. Commands that are done by a job answer with its id at \
                once; ask queryAsyncJobResult for the rest. Parameter names are read in any letter case.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://localhost:8080"}],
        "security": [{"apiKey": [], "signature": []}],
        "paths": paths,
        "components": {
            "securitySchemes": security_schemes(),
            "responses": {
                "Error": {
                    "description": "The call was refused or failed. The status equals errorcode. What does not reach the API \
                        (broken encoding, too long, too large) is answered with a page instead.",
                    "headers": {"X-Description": {"schema": {"type": "string"}, "description": "The errortext on one line."}},
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/ErrorEnvelope"}},
                        "text/html": {"schema": {"type": "string"}},
                    },
                },
            },
            "schemas": schemas,
        },
    })
}

/// The document as it is committed: indented, with a line end.
pub fn text(commands: &[&'static CommandSpec], version: &str) -> String {
    format!("{:#}\n", document(commands, version))
}

fn security_schemes() -> Value {
    json!({
        "apiKey": {
            "type": "apiKey", "in": "query", "name": "apiKey",
            "description": "The public half of a key pair.",
        },
        "signature": {
            "type": "apiKey", "in": "query", "name": "signature",
            "description": "Base64 of the HMAC-SHA1, keyed with the secret, of all other parameters (command included): sorted by \
                name, joined as name=value with &, values percent-encoded (only letters, digits and . - * _ stay), the \
                whole in lower case. With signatureVersion=3 the parameter expires limits its life.",
        },
    })
}

fn shared_schemas() -> Map<String, Value> {
    let mut schemas = Map::new();
    schemas.insert(
        "ErrorEnvelope".to_owned(),
        json!({
            "type": "object",
            "description": "One member, named after the command or `errorresponse`.",
            "additionalProperties": {"$ref": "#/components/schemas/Error"},
            "minProperties": 1, "maxProperties": 1,
        }),
    );
    schemas.insert(
        "Error".to_owned(),
        json!({
            "type": "object",
            "properties": {
                "uuidList": {"type": "array", "items": {"type": "object", "properties": {
                    "uuid": {"type": "string"}, "description": {"type": "string"}}}},
                "errorcode": {"type": "integer", "description": "Equals the HTTP status."},
                "cserrorcode": {"type": "integer", "description": "The kind of the failure; absent for refused credentials."},
                "errortext": {"type": "string"},
            },
            "required": ["uuidList", "errorcode"],
        }),
    );
    schemas.insert(
        "JobAccepted".to_owned(),
        json!({
            "type": "object",
            "properties": {"jobid": {"type": "string", "format": "uuid", "description": "Ask queryAsyncJobResult with it."}},
            "required": ["jobid"],
        }),
    );
    schemas
}

fn path(spec: &CommandSpec) -> Value {
    let params: Vec<_> = spec.all_params().filter(|param| !param.hidden).collect();
    let query: Vec<_> = params.iter().map(|param| query_parameter(param)).chain([response_parameter()]).collect();
    let mut path = json!({"post": operation(spec, "post", json!({"requestBody": form(&params)}))});
    if spec.http != Http::PostOnly {
        path["get"] = operation(spec, "get", json!({"parameters": query}));
    }
    path
}

fn operation(spec: &CommandSpec, verb: &str, input: Value) -> Value {
    let mut operation = Map::new();
    let id = if (spec.http.word() == "GET") == (verb == "get") {
        spec.name.to_owned()
    } else {
        format!("{}_{verb}", spec.name)
    };
    operation.insert("operationId".to_owned(), id.into());
    operation.insert("summary".to_owned(), first_sentence(spec.description).into());
    operation.insert("description".to_owned(), spec.description.into());
    if let Value::Object(input) = input {
        operation.extend(input);
    }
    operation.insert(
        "responses".to_owned(),
        json!({
            "200": {
                "description": if spec.kind == Kind::Async { "The job was accepted." } else { "Done." },
                "content": content(spec),
            },
            "default": {"$ref": "#/components/responses/Error"},
        }),
    );
    operation.insert("x-roles".to_owned(), spec.roles.iter().map(|role| role.word()).collect::<Vec<_>>().into());
    if spec.kind == Kind::Async {
        operation.insert("x-jobresult".to_owned(), reference(spec.response));
    }
    Value::Object(operation)
}

fn content(spec: &CommandSpec) -> Value {
    let mut content = match spec.shape {
        Shape::Streamed => json!({}),
        _ => json!({"application/json": {"schema": envelope(spec)}}),
    };
    if let Some(media) = spec.media {
        content[media.split(';').next().unwrap_or(media)] = json!({"schema": {"type": "string"}});
    }
    content
}

fn first_sentence(text: &str) -> &str {
    text.split_inclusive(". ").next().unwrap_or(text).trim_end()
}

fn response_parameter() -> Value {
    json!({
        "name": "response", "in": "query", "description": "The format of the answer.",
        "schema": {"type": "string", "enum": ["json", "xml"], "default": "xml"}, "example": "json",
    })
}

fn query_parameter(param: &ParamSpec) -> Value {
    let mut shown = json!({
        "name": param.name,
        "in": "query",
        "description": param.description,
        "required": param.required,
        "schema": param_schema(param),
    });
    if param.kind == ParamType::List {
        shown["style"] = "form".into();
        shown["explode"] = false.into();
    }
    shown
}

fn param_schema(param: &ParamSpec) -> Value {
    match param.kind {
        ParamType::Boolean => json!({"type": "boolean"}),
        ParamType::Date => json!({"type": "string", "format": "date-time"}),
        ParamType::Integer => json!({"type": "integer", "format": "int32"}),
        ParamType::Long => json!({"type": "integer", "format": "int64"}),
        ParamType::List => json!({"type": "array", "items": {"type": "string"}}),
        // Sent as name[0].field=value; OpenAPI has no style for it.
        ParamType::Map => {
            json!({"type": "array", "items": {"type": "object", "additionalProperties": {"type": "string"}}})
        }
        ParamType::String => json!({"type": "string", "maxLength": param.max_length}),
        ParamType::Uuid => json!({"type": "string", "format": "uuid"}),
    }
}

fn form(params: &[&'static ParamSpec]) -> Value {
    let mut properties = Map::new();
    for param in params {
        let mut schema = param_schema(param);
        schema["description"] = param.description.into();
        properties.insert(param.name.to_owned(), schema);
    }
    properties.insert("response".to_owned(), json!({"type": "string", "enum": ["json", "xml"], "default": "xml"}));
    let required: Vec<_> = params.iter().filter(|param| param.required).map(|param| param.name).collect();
    json!({
        "required": !required.is_empty(),
        "content": {"application/x-www-form-urlencoded": {
            "schema": {"type": "object", "properties": properties, "required": required},
        }},
    })
}

fn envelope(spec: &CommandSpec) -> Value {
    let object = spec.response.object;
    let inside = match (spec.kind, spec.shape) {
        (Kind::Async, _) => json!({"$ref": "#/components/schemas/JobAccepted"}),
        (Kind::Sync, Shape::Bare | Shape::Streamed) => reference(spec.response),
        (Kind::Sync, Shape::One) => {
            json!({"type": "object", "properties": {object: reference(spec.response)}, "required": [object]})
        }
        (Kind::Sync, Shape::List) => json!({
            "type": "object",
            "description": "Empty when nothing matches.",
            "properties": {
                "count": {"type": "integer", "description": "How many match in all."},
                object: {"type": "array", "items": reference(spec.response)},
            },
        }),
    };
    let name = spec.envelope();
    json!({"type": "object", "properties": {&name: inside}, "required": [name]})
}

fn reference(response: &ResponseSpec) -> Value {
    json!({"$ref": format!("#/components/schemas/{}", response.type_name)})
}

fn add_schema(response: &'static ResponseSpec, schemas: &mut Map<String, Value>) {
    if schemas.contains_key(response.type_name) {
        return;
    }
    let mut properties = Map::new();
    for field in printed(response.fields) {
        properties.insert(field.name.to_owned(), field_schema(field));
    }
    let always: Vec<_> = printed(response.fields).filter(|field| field.always).map(|field| field.name).collect();
    schemas.insert(
        response.type_name.to_owned(),
        json!({"type": "object", "description": response.description, "properties": properties, "required": always}),
    );
    for nested in printed(response.fields).filter_map(|field| field.nested) {
        add_schema(nested, schemas);
    }
}

fn field_schema(field: &FieldSpec) -> Value {
    let item = match field.nested {
        Some(nested) => reference(nested),
        None => match field.kind {
            "boolean" => json!({"type": "boolean"}),
            "integer" | "long" => json!({"type": "integer"}),
            "double" => json!({"type": "number"}),
            "date" => json!({"type": "string", "description": "As 2026-11-23T16:05:35+0000."}),
            "map" => json!({"type": "object", "additionalProperties": {"type": "string"}}),
            "string" => json!({"type": "string"}),
            _ => json!({}),
        },
    };
    let mut schema = if field.kind == "list" { json!({"type": "array", "items": item}) } else { item };
    schema["description"] = field.description.into();
    schema
}
