//! The hash by which a box and its house see that they hold the same document.

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::domain::{hex, ids::DocumentHash};

/// A document's bytes in the one form that it has (RFC 8785).
pub fn bytes(document: &Value) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(document)
        .expect("a JSON value has text keys and finite numbers")
}

/// The SHA-256 of a document's canonical form.
pub fn sha256(document: &Value) -> DocumentHash {
    sha256_of(&bytes(document))
}

/// The SHA-256 of bytes that are in canonical form.
pub fn sha256_of(bytes: &[u8]) -> DocumentHash {
    DocumentHash::new(hex::write(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_and_the_form_of_numbers_do_not_matter() {
        let one: Value =
            serde_json::from_str(r#"{"b": 1.0, "a": [1e2, "é\u000a"]}"#).expect("JSON");
        let other = json!({"a": [100, "é\n"], "b": 1});
        assert_eq!(
            String::from_utf8(bytes(&one)).expect("UTF-8"),
            "{\"a\":[100,\"é\\n\"],\"b\":1}"
        );
        assert_eq!(sha256(&one), sha256(&other));
        assert_eq!(
            sha256(&json!({})).as_str(),
            "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        );
    }
}
