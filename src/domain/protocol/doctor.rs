//! The doctor's report: what was looked at on the box, and what to mend.

use serde::{Deserialize, Serialize};

/// All that was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorReport {
    /// The checks, in the order to be read.
    pub checks: Vec<Check>,
}

impl DoctorReport {
    /// The worst result of all checks; [`CheckResult::Ok`] where nothing was checked.
    pub fn worst(&self) -> CheckResult {
        let results = self.checks.iter().map(|check| check.ok);
        results.max().unwrap_or_default()
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What: `display`, `decoders`, `audio`, `playlist`, `clock`, `disk`, `memory`, `network`.
    pub name: String,
    /// How it stands.
    pub ok: CheckResult,
    /// What was found, in plain words.
    pub detail: String,
    /// What to do about it; nothing where all is well.
    pub advice: Option<String>,
}

/// How a checked thing stands, best first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckResult {
    /// All is well.
    #[default]
    Ok,
    /// It works, but not as well as it could.
    Warn,
    /// It does not work.
    Fail,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_check_counts() {
        let check = |ok| Check {
            name: "disk".to_owned(),
            ok,
            detail: String::new(),
            advice: None,
        };
        let mut report = DoctorReport::default();
        assert_eq!(report.worst(), CheckResult::Ok);
        report.checks = vec![check(CheckResult::Fail), check(CheckResult::Warn)];
        assert_eq!(report.worst(), CheckResult::Fail);
        let json = serde_json::to_string(&report.checks[0]).expect("JSON");
        assert_eq!(
            json,
            r#"{"name":"disk","ok":"fail","detail":"","advice":null}"#
        );
    }
}
