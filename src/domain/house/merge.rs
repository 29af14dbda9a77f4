//! Merge patches (RFC 7396): applied, and made.

use serde_json::{Map, Value};

/// Applies a merge patch in place (RFC 7396, section 2).
pub fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (key, change) in patch {
        match change {
            Value::Null => drop(target.remove(key)),
            change => apply(target.entry(key.as_str()).or_insert(Value::Null), change),
        }
    }
}

/// The smallest merge patch that makes `new` of `old`.
///
/// No object of `new` may hold a null, at whatever depth outside arrays, and `new` is an object where `old` is one: a
/// merge patch cannot say otherwise. An environment document keeps to both.
pub fn diff(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return new.clone();
    };
    let mut patch = Map::new();
    for (key, value) in new {
        match old.get(key) {
            Some(before) if before == value => {}
            Some(before) => drop(patch.insert(key.clone(), diff(before, value))),
            None => drop(patch.insert(key.clone(), value.clone())),
        }
    }
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    patch.extend(gone.map(|key| (key.clone(), Value::Null)));
    Value::Object(patch)
}

/// Takes every null out of the objects of a value, at whatever depth outside arrays.
pub fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        let old = std::mem::take(map);
        let kept = old.into_iter().filter(|(_, value)| !value.is_null());
        map.extend(kept.map(|(key, value)| (key, without_nulls(value))));
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// RFC 7396, appendix A: original, patch, result.
    #[test]
    fn the_examples_of_the_rfc_come_out_as_there() {
        for (original, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (
                json!({"a":"b","b":"c"}),
                json!({"a":null}),
                json!({"b":"c"}),
            ),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (
                json!({"a":{"b":"c"}}),
                json!({"a":{"b":"d","c":null}}),
                json!({"a":{"b":"d"}}),
            ),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"a":"foo"}), json!(null), json!(null)),
            (json!({"a":"foo"}), json!("bar"), json!("bar")),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (
                json!({}),
                json!({"a":{"bb":{"ccc":null}}}),
                json!({"a":{"bb":{}}}),
            ),
        ] {
            let mut target = original.clone();
            apply(&mut target, &patch);
            assert_eq!(target, result, "{original} {patch}");
        }
    }

    #[test]
    fn a_patch_names_only_what_has_changed() {
        let old =
            json!({"house": {"name": "A", "mute": true}, "items": {"i1": {"rev": 1}}, "n": [1, 2]});
        let new = json!({"house": {"name": "B", "fit": "cover"}, "items": {}, "n": [1, 2]});
        assert_eq!(
            diff(&old, &new),
            json!({"house": {"name": "B", "fit": "cover", "mute": null}, "items": {"i1": null}})
        );
        assert_eq!(diff(&old, &old), json!({}));
        assert_eq!(
            without_nulls(json!({"a": null, "b": {"c": null}, "d": [null]})),
            json!({"b": {}, "d": [null]})
        );
    }

    /// Documents without nulls: objects at the root, anything below.
    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (0..5_u8).prop_map(Value::from),
            "[a-c]{0,2}".prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::btree_map("[a-d]", value, 0..4)
            .prop_map(|map| Value::Object(map.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn a_patch_that_was_made_brings_the_new_document(old in document(), new in document()) {
            let patch = diff(&old, &new);
            let mut target = old.clone();
            apply(&mut target, &patch);
            prop_assert_eq!(&target, &new);
            // Once more changes nothing: merge patches are idempotent.
            apply(&mut target, &patch);
            prop_assert_eq!(target, new);
            prop_assert_eq!(patch == json!({}), old == new_of(&old, &patch));
        }
    }

    fn new_of(old: &Value, patch: &Value) -> Value {
        let mut new = old.clone();
        apply(&mut new, patch);
        new
    }
}
