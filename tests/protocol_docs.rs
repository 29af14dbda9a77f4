//! `docs/protocol.md`, its example of an enrolment, the schemas and the types say the same.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{collections::BTreeSet, env, fs};

use ed25519_dalek::{Signer, SigningKey};
use jsonschema::Validator;
use musebox::{
    domain::{
        house::{
            Environment,
            enrol::{self, Pairing, PairingCode},
        },
        ids::Revision,
        protocol::sync::{
            CLOSE_BAD_MESSAGE, CLOSE_BAD_SNAPSHOT, CLOSE_GOING_AWAY, CLOSE_NO_HELLO,
            CLOSE_OVERLOADED, CLOSE_RESTART, CLOSE_REVOKED, CLOSE_TOO_BIG, CLOSE_UNKNOWN_PROTO,
            ErrorCode, HouseCommand, Message, PROTO,
        },
        session::{BoxInput, BoxOutput, BoxSession, Link},
        units::MediaTime,
    },
    web::{self, enrolments::CODE_SECONDS},
};
use schemars::{Schema, schema_for};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

const SYNC: &str = "docs/schema/sync.schema.json";
const ENVIRONMENT: &str = "docs/schema/environment.schema.json";

/// The committed schema. Where the types have changed, `MUSEBOX_WRITE_SCHEMA=1 cargo test --test protocol_docs` writes
/// it anew.
fn committed(path: &str, schema: &Schema) -> Value {
    let mut text = serde_json::to_string_pretty(schema).expect("JSON");
    text.push('\n');
    if env::var_os("MUSEBOX_WRITE_SCHEMA").is_some() {
        fs::write(path, &text).expect(path);
    }
    let found = fs::read_to_string(path).expect(path);
    assert!(
        found == text,
        "{path} is not what the types say: write it anew with MUSEBOX_WRITE_SCHEMA=1 cargo test --test protocol_docs"
    );
    serde_json::from_str(&found).expect(path)
}

fn validator(schema: &Value) -> Validator {
    jsonschema::meta::validate(schema).expect("the schema is a schema");
    jsonschema::validator_for(schema).expect("the schema compiles")
}

fn sync() -> Validator {
    validator(&committed(SYNC, &schema_for!(Message)))
}

fn environment() -> Validator {
    validator(&committed(ENVIRONMENT, &schema_for!(Environment)))
}

fn doc() -> String {
    fs::read_to_string("docs/protocol.md").expect("the documentation")
}

/// The JSON blocks: messages, and documents.
fn blocks(doc: &str) -> (Vec<String>, Vec<Value>) {
    let (mut messages, mut documents) = (Vec::new(), Vec::new());
    for block in doc.split("```json\n").skip(1) {
        let (text, _) = block.split_once("```").expect("the block's end");
        let value: Value = serde_json::from_str(text).expect(text);
        match value.get("type") {
            Some(_) => messages.push(text.to_owned()),
            None => documents.push(value),
        }
    }
    (messages, documents)
}

fn check(schema: &Validator, value: &Value) {
    if let Err(error) = schema.validate(value) {
        panic!("{}: {error}: {value}", error.instance_path());
    }
}

#[test]
fn every_documented_message_is_one_and_comes_back_the_same() {
    let schema = sync();
    let (messages, _) = blocks(&doc());
    assert!(messages.len() > 12, "the blocks are found");
    for text in messages {
        let value: Value = serde_json::from_str(&text).expect(&text);
        check(&schema, &value);
        let message = Message::read(&text).expect(&text);
        assert_ne!(message, Message::Unknown, "{text}");
        let written: Value = serde_json::from_str(&message.write()).expect("JSON");
        assert_eq!(written, value);
    }
}

#[test]
fn a_box_that_is_told_the_examples_holds_what_they_say() {
    let (messages, _) = blocks(&doc());
    let mut session = BoxSession::new(MediaTime::ZERO, "0.1.0", Vec::new(), None);
    session.handle(MediaTime::ZERO, BoxInput::Opened, 0.5);
    let mut adopted = Vec::new();
    for text in messages {
        let message = Message::read(&text).expect(&text);
        session.handle(MediaTime::ZERO, BoxInput::Received(message), 0.5);
        while let Some(output) = session.poll() {
            if let BoxOutput::Adopt(held) = output {
                adopted.push(held.rev);
            }
        }
    }
    assert_eq!(adopted, [Revision(42), Revision(43)]);
    assert!(matches!(session.link(), Link::InStep { .. }));
}

#[test]
fn every_type_of_message_has_an_example() {
    let (messages, _) = blocks(&doc());
    let types: BTreeSet<String> = messages
        .iter()
        .map(|text| {
            let value: Value = serde_json::from_str(text).expect(text);
            value["type"].as_str().expect("a text").to_owned()
        })
        .collect();
    let expected = [
        "ack", "command", "error", "hello", "patch", "reported", "snapshot",
    ];
    assert_eq!(types, expected.map(str::to_owned).into());
}

#[test]
fn the_documented_environment_is_one() {
    let schema = environment();
    let (_, documents) = blocks(&doc());
    assert_eq!(documents.len(), 1);
    for document in documents {
        check(&schema, &document);
        let environment = Environment::read(&document).expect("an environment");
        assert_eq!(serde_json::to_value(&environment).expect("JSON"), document);
    }
}

#[test]
fn every_command_error_and_close_code_is_documented() {
    let doc = doc();
    for command in [
        "play",
        "pause",
        "stop",
        "next",
        "previous",
        "goto",
        "replay",
        "display",
        "screenshot",
        "identify",
    ] {
        let value = json!({"command": command, "position": "M0T0I0", "power": "on"});
        let read: HouseCommand = serde_json::from_value(value).expect(command);
        assert_ne!(read, HouseCommand::Unknown, "{command}");
        assert!(
            doc.contains(&format!("`{command}`")) || doc.contains(&format!("\"{command}\"")),
            "{command}"
        );
    }
    for code in [
        "bad_message",
        "unknown_proto",
        "no_hello",
        "too_big",
        "revoked",
    ] {
        let read: ErrorCode = serde_json::from_value(json!(code)).expect(code);
        assert_ne!(read, ErrorCode::Unknown, "{code}");
        assert!(doc.contains(&format!("\n| `{code}` |")), "{code}");
    }
    for code in [
        CLOSE_GOING_AWAY,
        CLOSE_TOO_BIG,
        CLOSE_RESTART,
        CLOSE_OVERLOADED,
        CLOSE_UNKNOWN_PROTO,
        CLOSE_NO_HELLO,
        CLOSE_BAD_MESSAGE,
        CLOSE_REVOKED,
        CLOSE_BAD_SNAPSHOT,
    ] {
        assert!(doc.contains(&format!("\n| {code} |")), "{code}");
    }
    assert!(doc.contains(&format!(
        "`proto` is the version of this protocol, {PROTO}."
    )));
}

/// The enrolment that the documentation shows.
fn enrolment() -> Value {
    let path = "docs/examples/enrolment.json";
    serde_json::from_str(&fs::read_to_string(path).expect(path)).expect(path)
}

/// The bytes of hexadecimal digits.
fn unhex(digits: &Value) -> Vec<u8> {
    let digits = digits.as_str().expect("digits");
    assert_eq!(digits, digits.to_lowercase());
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect(pair)
        })
        .collect()
}

fn bytes<const N: usize>(digits: &Value) -> [u8; N] {
    unhex(digits).try_into().expect("so many bytes")
}

#[test]
fn the_documented_check_numbers_come_from_the_documented_keys_and_nonces() {
    let example = enrolment();
    let (keys, asked, answer) = (
        &example["keys"],
        &example["enrol"]["request"],
        &example["enrol"]["answer"],
    );
    let key = |secret: &Value| SigningKey::from_bytes(&bytes(secret)).verifying_key();
    let device_key = key(&keys["device_secret"]).to_bytes();
    let server_key = key(&keys["server_secret"]).to_bytes();
    for (digits, key) in [
        (&keys["device_key"], device_key),
        (&asked["device_key"], device_key),
        (&keys["server_key"], server_key),
        (&answer["server_key"], server_key),
    ] {
        assert_eq!(bytes::<32>(digits), key);
    }
    let box_nonce: [u8; 32] = bytes(&example["reveal"]["request"]["box_nonce"]);
    let server_nonce: [u8; 32] = bytes(&answer["server_nonce"]);
    assert_eq!(bytes::<32>(&asked["commit"]), enrol::commitment(&box_nonce));
    let spki: [u8; 32] = bytes(&asked["spki"]);
    for (name, spki) in [("check", Some(&spki)), ("check_without_spki", None)] {
        let pairing = Pairing {
            device_key: &device_key,
            server_key: &server_key,
            spki_sha256: spki,
            box_nonce: &box_nonce,
            server_nonce: &server_nonce,
        };
        let check = &example[name];
        assert_eq!(check["number"], pairing.check_number().to_string());
        let hashed = [
            &b"musebox check 1\0"[..],
            &device_key[..],
            &server_key[..],
            spki.map_or(&[][..], |spki| &spki[..]),
            &box_nonce[..],
            &server_nonce[..],
        ]
        .concat();
        assert_eq!(unhex(&check["bytes"]), hashed);
        let digest: [u8; 32] = Sha256::digest(&hashed).into();
        assert_eq!(bytes::<32>(&check["sha256"]), digest);
    }
    assert_eq!(
        example["reveal"]["answer"]["check"],
        example["check"]["number"]
    );
    assert_eq!(
        example["reveal"]["request"]["secret"], answer["secret"],
        "the secret that was given"
    );
    let code = answer["code"].as_str().expect("a code");
    assert_eq!(
        code.parse::<PairingCode>().expect(code).to_string(),
        code,
        "as it is shown"
    );
    assert_eq!(answer["expires_in"], CODE_SECONDS);
}

#[test]
fn the_documented_signatures_are_those_of_the_documented_keys() {
    let example = enrolment();
    let signer = |secret: &str| SigningKey::from_bytes(&bytes(&example["keys"][secret]));
    let (device, server) = (signer("device_secret"), signer("server_secret"));
    let (challenge, token) = (&example["challenge"], &example["token"]);
    let (request, answer) = (&token["request"], &token["answer"]);
    assert_eq!(request["nonce"], challenge["answer"]["nonce"]);
    for asked in [&challenge["request"], request] {
        assert_eq!(asked["device_key"], example["keys"]["device_key"]);
    }
    for key in ["house", "screen"] {
        assert_eq!(answer[key], example["standing"]["answer"][key]);
    }
    let nonce: [u8; 32] = bytes(&request["nonce"]);
    let box_nonce: [u8; 32] = bytes(&request["box_nonce"]);
    let signed = enrol::token_challenge(&nonce, &box_nonce);
    assert_eq!(unhex(&token["signed"]), signed);
    assert_eq!(
        bytes::<64>(&request["signature"]),
        device.sign(&signed).to_bytes()
    );
    let refusal = &challenge["refusal"];
    let asked: [u8; 32] = bytes(&challenge["request"]["box_nonce"]);
    let parting = enrol::parting_proof(&asked, &device.verifying_key().to_bytes());
    assert_eq!(unhex(&challenge["parting"]), parting);
    assert_eq!(
        bytes::<64>(&refusal["signature"]),
        server.sign(&parting).to_bytes()
    );
    let proof = enrol::house_proof(&box_nonce, &nonce);
    assert_eq!(unhex(&token["proof"]), proof);
    assert_eq!(
        bytes::<64>(&answer["signature"]),
        server.sign(&proof).to_bytes()
    );
}

#[test]
fn the_documented_enrolment_has_the_bodies_and_addresses_of_the_interface() {
    let described = serde_json::to_value(web::openapi()).expect("JSON");
    let (doc, example) = (doc(), enrolment());
    let keys = |object: &Map<String, Value>| object.keys().cloned().collect::<BTreeSet<_>>();
    for (step, part, name) in [
        ("enrol", "request", "Ask"),
        ("enrol", "answer", "Asked"),
        ("reveal", "request", "Reveal"),
        ("reveal", "answer", "Check"),
        ("standing", "answer", "Standing"),
        ("challenge", "request", "Knock"),
        ("challenge", "answer", "Nonce"),
        ("token", "request", "Answer"),
        ("token", "answer", "Token"),
    ] {
        let body = example[step][part].as_object().expect(step);
        let schema = &described["components"]["schemas"][name]["properties"];
        let schema = schema.as_object().expect(name);
        assert_eq!(keys(body), keys(schema), "{step} {part}");
        for key in body.keys() {
            assert!(doc.contains(&format!("`{key}`")), "{step} {part}: {key}");
        }
    }
    for (method, path) in [
        ("post", "/enrol"),
        ("post", "/enrol/{id}/reveal"),
        ("get", "/enrol/{id}"),
        ("post", "/devices/challenge"),
        ("post", "/devices/token"),
        ("get", "/media/{name}/link"),
    ] {
        assert!(
            described["paths"][path][method].is_object(),
            "{method} {path}"
        );
        let shown = format!("`{} /api/v1{path}`", method.to_uppercase());
        assert!(doc.contains(&shown), "{shown}");
    }
    for words in [
        "musebox check 1",
        "musebox token 1",
        "musebox house 1",
        "musebox parts 1",
    ] {
        assert!(doc.contains(&format!("`{words}`")), "{words}");
    }
}

#[test]
fn later_versions_may_add_fields_messages_commands_and_codes() {
    for text in [
        r#"{"type": "hello", "proto": 1, "later": {"x": [1]}}"#,
        r#"{"type": "reported", "state": {"state": "idle", "later": 1}, "later": null}"#,
        r#"{"later": 1, "type": "ack", "id": "x"}"#,
    ] {
        assert_ne!(Message::read(text).expect(text), Message::Unknown);
    }
    for text in [
        r#"{"type": "later"}"#,
        r#"{"type": "later", "proto": [], "id": {}}"#,
    ] {
        assert_eq!(Message::read(text).expect(text), Message::Unknown);
    }
    let text = r#"{"type": "command", "id": "c", "command": "later", "how": 1}"#;
    assert!(
        matches!(Message::read(text), Ok(Message::Command(frame)) if frame.command == HouseCommand::Unknown)
    );
    let text = r#"{"type": "error", "code": "later", "message": "m"}"#;
    assert!(
        matches!(Message::read(text), Ok(Message::Error(error)) if error.code == ErrorCode::Unknown)
    );
}

#[test]
fn what_is_no_message_is_refused_by_reader_and_schema() {
    let schema = sync();
    for text in [
        r#"["hello", {"proto": 1}]"#,
        r#""hello""#,
        "null",
        "{}",
        r#"{"type": 1}"#,
        r#"{"type": "hello"}"#,
        r#"{"type": "hello", "proto": -1}"#,
        r#"{"type": "hello", "proto": 1, "rev": "41"}"#,
        r#"{"type": "snapshot", "epoch": "e", "rev": 1, "sha256": "0"}"#,
        r#"{"type": "patch", "epoch": "e", "rev": 1, "patch": {}, "sha256": "0"}"#,
        r#"{"type": "reported", "state": {}}"#,
        r#"{"type": "reported", "plays": [{"seq": 1}]}"#,
        r#"{"type": "command", "command": "play"}"#,
        r#"{"type": "command", "id": "c", "command": "goto"}"#,
        r#"{"type": "command", "id": "c", "command": "goto", "position": "here"}"#,
        r#"{"type": "command", "id": "c", "command": "display", "power": "dim"}"#,
        r#"{"type": "ack"}"#,
        r#"{"type": "error", "message": "m"}"#,
    ] {
        let error = Message::read(text).expect_err(text);
        assert!(error.to_string().len() > 20, "{error}");
        let value: Value = serde_json::from_str(text).expect(text);
        assert!(!schema.is_valid(&value), "{text}");
    }
    for text in [
        "",
        "{",
        "\u{feff}{}",
        "{\"type\":\"hello\",\"proto\":1}x",
        &"[".repeat(100_000),
    ] {
        Message::read(text).expect_err("no JSON object");
    }
    let deep = format!(r#"{{"type":"x","a":{}}}"#, "[".repeat(100_000));
    Message::read(&deep).expect_err("too deep");
}
