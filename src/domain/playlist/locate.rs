//! Where in a JSON text a key's value stands.
//!
//! A rule that concerns two places of a document (an id given twice) is checked when the reader has already passed
//! both. So the text is read once more, down to the place, where the reader is made to stop and say where it is.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One step on the way from a document's root to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Into an object, by key.
    Key(&'static str),
    /// Into an array, by number from 0.
    Index(usize),
}

/// Writes steps as people do: `montages[0].tracks[1]`.
pub(super) fn written(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// The line and column, counted from 1, at which the value at the end of `steps` is read.
/// Nothing where the document has no such value.
pub(super) fn locate(text: &str, steps: &[Step]) -> Option<(usize, usize)> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let stop = Walk(steps).deserialize(&mut reader).err()?;
    (stop.is_data() && stop.line() > 0).then(|| (stop.line(), stop.column()))
}

/// Goes along the steps and fails at their end.
struct Walk<'a>(&'a [Step]);

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the place that is looked for")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((Step::Key(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom("here"));
        };
        while let Some(key) = map.next_key::<String>()? {
            match key == *wanted {
                true => map.next_value_seed(Walk(rest))?,
                false => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some((Step::Index(wanted), rest)) = self.0.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..*wanted {
            if seq.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        seq.next_element_seed(Walk(rest))?;
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    // Every scalar is the end of a way, be it the right one or not.
    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Err(E::custom("here"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Err(E::custom("here"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Err(E::custom("here"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Err(E::custom("here"))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Err(E::custom("here"))
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Err(E::custom("here"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_at_the_line_they_end_on() {
        let text = "{\n \"a\": [1,\n  {\"b\": \"x\"\n }],\n \"c\": []\n}";
        let b = [Step::Key("a"), Step::Index(1), Step::Key("b")];
        assert_eq!(written(&b), "a[1].b");
        assert_eq!(locate(text, &b).map(|place| place.0), Some(3));
        assert_eq!(
            locate(text, &[Step::Key("c")]).map(|place| place.0),
            Some(5)
        );
        assert_eq!(locate(text, &[Step::Key("d")]), None);
        assert_eq!(locate(text, &[Step::Key("a"), Step::Index(7)]), None);
        assert_eq!(locate("nonsense", &[Step::Key("a")]), None);
    }
}
