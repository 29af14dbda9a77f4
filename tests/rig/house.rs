//! The house server as its own package and service, and the box beside it that it steers.

use serde_json::{Value, json};

use crate::{
    flips,
    guest::Guest,
    scene::{playing, restarts},
    warm::{self, USUAL},
};

/// The house's interface, asked from within the guest.
struct House {
    token: String,
}

impl House {
    /// Installs the package, which starts the service.
    fn install(guest: &mut Guest) -> Self {
        guest.sh("dpkg -i /srv/rig/musebox-house.deb");
        guest.until(60, "systemctl is-active --quiet musebox-house");
        let token =
            guest.sh("musebox-house token create --role owner --data /var/lib/musebox-house");
        let token = token.trim().to_owned();
        Self { token }
    }

    /// The answer's body, which must be a success.
    fn ask(&self, guest: &mut Guest, method: &str, path: &str, body: &Value) -> Value {
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        assert!(!body.contains('\''), "{body}");
        let (token, length) = (&self.token, body.len());
        let answer = guest.sh(&format!(
            "bash -c 'exec 3<>/dev/tcp/127.0.0.1/8470; printf \"%s\" \"$0\" >&3; cat <&3' '{method} {path} HTTP/1.1\r\n\
             Host: 127.0.0.1:8470\r\nConnection: close\r\nAuthorization: Bearer {token}\r\nIf-Match: *\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}'"
        ));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        assert!(status.starts_with('2'), "{method} {path}: {answer}");
        serde_json::from_str(body).unwrap_or_default()
    }
}

#[test]
fn its_service_runs_without_rights_and_steers_a_box() {
    let mut guest = playing("house");
    let house = House::install(&mut guest);
    let table = guest.sh("systemd-analyze security --no-pager musebox-house.service");
    let last = table.lines().last().unwrap_or_default();
    println!("{last}");
    let mut words = last.split_whitespace();
    let exposure: f64 = words
        .find_map(|word| word.parse().ok())
        .expect("the exposure");
    assert!(exposure <= 2.0, "{table}");
    let status = guest.sh("cat /proc/$(systemctl show -P MainPID musebox-house)/status");
    for line in ["CapEff:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(status.contains(line), "{status}");
    }
    let user = status.lines().find(|line| line.starts_with("Uid:"));
    assert!(!user.unwrap_or_default().contains("\t0"), "{status}");

    let made = house.ask(
        &mut guest,
        "POST",
        "/api/v1/houses",
        &json!({"name": "Rig"}),
    );
    let path = format!("/api/v1/houses/{}", made["id"].as_str().expect("an id"));
    guest.sh("museboxctl pair http://127.0.0.1:8470");
    let code = guest.status()["house"]["code"].clone();
    let look_up = format!("{path}/enrolments/look-up");
    let found = house.ask(&mut guest, "POST", &look_up, &json!({"code": code}));
    assert_eq!(found["check"], guest.status()["house"]["check"]);
    let id = found["id"].as_str().expect("an id");
    let approve = format!("{path}/enrolments/{id}/approve");
    house.ask(&mut guest, "POST", &approve, &json!({"name": "The screen"}));
    guest.until(
        60,
        "museboxctl status --json | tr -d ' ' | grep -q '\"online\":true'",
    );
    house.ask(
        &mut guest,
        "PATCH",
        &path,
        &json!({"volume": 0.25, "name": "The rig"}),
    );
    guest.until(
        60,
        "museboxctl status --json | tr -d ' ' | grep -q '\"volume\":0.25'",
    );

    // The player's thread for the house stands still: nothing else does.
    guest.sh("rig-flips begin; rig-fault hang house 15");
    let tracks = flips::read(&guest.sh("rig-flips end"));
    let (_, track) = tracks.iter().next().expect("a screen");
    assert!(track.told.len() > 600, "{} vblanks", track.told.len());
    assert_eq!((track.missed(), restarts(&mut guest)), (0, 0));
    guest.until(
        60,
        "museboxctl status --json | tr -d ' ' | grep -q '\"online\":true'",
    );

    // It is restarted without losing anything, and the box comes back by itself.
    guest.sh("systemctl restart musebox-house");
    guest.until(
        120,
        "museboxctl status --json | tr -d ' ' | grep -q '\"online\":true'",
    );
    let name = house.ask(&mut guest, "GET", &path, &Value::Null)["name"].clone();
    assert_eq!(name, "The rig");
    // A backup that root puts back is the service's own again.
    let data = "--data /var/lib/musebox-house";
    guest.sh(&format!("musebox-house backup /root/house.db {data}"));
    house.ask(&mut guest, "PATCH", &path, &json!({"name": "Later"}));
    guest.sh(&format!(
        "systemctl stop musebox-house; musebox-house restore /root/house.db {data}; systemctl start musebox-house"
    ));
    guest.until(
        120,
        "museboxctl status --json | tr -d ' ' | grep -q '\"online\":true'",
    );
    let name = house.ask(&mut guest, "GET", &path, &Value::Null)["name"].clone();
    assert_eq!(name, "The rig", "the backup's name");
    let log = guest.sh("journalctl -u musebox-house --no-pager -p warning");
    println!("{log}");

    // The plug is pulled as soon as the box has heard of a change. It knows of it afterwards, without its house.
    guest.sh(
        "systemctl enable --quiet museboxd musebox.target; systemctl disable --quiet musebox-house
         sed -i -e /^card/d -e s/59.94/60/ /etc/musebox/musebox.toml; sync",
    );
    house.ask(&mut guest, "PATCH", &path, &json!({"volume": 0.75}));
    guest.until(
        60,
        "museboxctl status --json | tr -d ' ' | grep -q '\"volume\":0.75'",
    );
    let before = guest.status();
    assert_eq!(before["state"], "playing");
    let folder = guest.pull_power();
    let mut guest = warm::boot_again(USUAL, &folder);
    guest.until(120, "museboxctl status >/dev/null");
    let after = guest.status();
    println!("{} {}", after["house"], after["settings"]);
    assert_eq!(
        (&after["house"]["linked"], &after["house"]["online"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(after["settings"], before["settings"]);
    assert_eq!(after["name"], before["name"]);

    guest.sh("dpkg -P musebox-house; test -e /var/lib/private/musebox-house/house.db");
    let active = guest.run("systemctl is-active musebox-house");
    assert_ne!(active.expect("it runs").0, 0);
    guest.sh("systemctl is-active museboxd");
}
