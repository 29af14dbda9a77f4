//! The list of all keys, with defaults: what the documentation is held against.

/// One key of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The way to the key, as in `display.mode`; `screen[].name` stands for `name` in each `[[screen]]`.
    pub path: &'static str,
    /// The default as it would be written; nothing where the default cannot be written as a value.
    pub default: Option<&'static str>,
    /// What the documentation says of a default that cannot be written.
    pub otherwise: &'static str,
    /// A value that is not the default.
    pub example: &'static str,
}

impl Key {
    /// The key with a value, as it would stand in a file; every screen has a name, too.
    pub fn line(&self, value: &str) -> String {
        match self.path.split_once('.') {
            Some((table, key)) => match table.strip_suffix("[]") {
                Some(list) if key == "name" => format!("[[{list}]]\n{key} = {value}\n"),
                Some(list) => format!("[[{list}]]\nname = \"main\"\n{key} = {value}\n"),
                None => format!("[{table}]\n{key} = {value}\n"),
            },
            None => format!("{} = {value}\n", self.path),
        }
    }
}

const fn key(path: &'static str, default: &'static str, example: &'static str) -> Key {
    Key {
        path,
        default: Some(default),
        otherwise: "",
        example,
    }
}

const fn without(path: &'static str, otherwise: &'static str, example: &'static str) -> Key {
    Key {
        path,
        default: None,
        otherwise,
        example,
    }
}

/// Every key there is.
pub const KEYS: &[Key] = &[
    without("name", "the host's name", "\"Foyer\""),
    without("playlist", "none", "\"foyer.json\""),
    key("autostart_playlist", "false", "true"),
    key("auto_advance", "true", "false"),
    key("volume", "0.8", "0.5"),
    key("mute", "false", "true"),
    key("fit", "\"contain\"", "\"cover\""),
    key("background", "\"#000000\"", "\"#f4f1ea\""),
    key("display.kind", "\"auto\"", "\"virtual\""),
    without(
        "display.card",
        "the first with a screen",
        "\"/dev/dri/card1\"",
    ),
    without(
        "display.mode",
        "the display's own; 1920x1080@60 where it has none",
        "\"1280x720@59.94\"",
    ),
    key("display.on_exit", "\"last\"", "\"black\""),
    key("display.cec", "\"auto\"", "\"/dev/cec1\""),
    key("screen[].name", "\"main\"", "\"left\""),
    without(
        "screen[].connector",
        "the first free one with a screen",
        "\"HDMI-A-1\"",
    ),
    without("screen[].mode", "display.mode", "\"1920x1080@50\""),
    key("decoder.prefer", "[]", "[\"v4l2slh264dec\"]"),
    key("decoder.avoid", "[]", "[\"vaapih264dec\"]"),
    key("decoder.hardware", "\"auto\"", "\"never\""),
    key("decoder.frame_limit", "\"none\"", "900000"),
    key("audio.enabled", "true", "false"),
    key("audio.sink", "\"alsasink\"", "\"pulsesink\""),
    without("audio.device", "the sink's own", "\"hw:1\""),
    without(
        "control.socket",
        "/run/musebox/control.sock",
        "\"/run/box.sock\"",
    ),
    without("control.http", "off", "\"127.0.0.1:8480\""),
    without("house.url", "none", "\"https://gallery.example:8443\""),
    key("house.discover", "true", "false"),
    without("state.dir", "/var/lib/musebox", "\"/data/musebox\""),
    key("log.level", "\"info\"", "\"debug\""),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::config::*;
    use crate::domain::ids::ScreenName;

    fn paths(value: &serde_json::Value, prefix: &str, into: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    let path = match prefix.is_empty() {
                        true => key.clone(),
                        false => format!("{prefix}.{key}"),
                    };
                    paths(value, &path, into);
                }
            }
            serde_json::Value::Array(list) if list.iter().any(|value| value.is_object()) => {
                paths(&list[0], &format!("{prefix}[]"), into);
            }
            _ => into.push(prefix.to_owned()),
        }
    }

    #[test]
    fn the_list_has_every_key_of_a_fragment_and_no_other() {
        // A fragment with one screen names all keys; those without a value are null.
        let fragment = Fragment {
            screen: Some(vec![ScreenFragment {
                name: ScreenName::new("main"),
                connector: None,
                mode: None,
            }]),
            ..Fragment::default()
        };
        let value = serde_json::to_value(fragment).expect("JSON");
        let mut found = Vec::new();
        paths(&value, "", &mut found);
        found.sort();
        let mut listed: Vec<_> = KEYS.iter().map(|key| key.path.to_owned()).collect();
        listed.sort();
        assert_eq!(listed, found);
    }
}
