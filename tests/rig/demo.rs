//! `make demo` where a person at a text console starts it, and where it may not draw on the screen.

use std::collections::HashSet;

use crate::{
    guest::Guest,
    warm::{self, USUAL},
};

/// Where the checkout is, as far as the demo needs it.
const CHECKOUT: &str = "/srv/rig/demo";

/// A guest with somebody who may draw on the screen, somebody who may not, and everything that `make demo` has built.
fn built() -> Guest {
    let mut guest = warm::guest(USUAL, "demo");
    guest.write(
        "/etc/sysusers.d/rig.conf",
        "u artist - - /tmp /bin/bash\nu guest - - /tmp /bin/bash\nm artist video",
    );
    guest.sh(&format!(
        "systemd-sysusers; cd {CHECKOUT}; dpkg -x ../musebox-house.deb house
         ln -s /usr/bin/museboxd /usr/bin/museboxctl $PWD/house/usr/bin/musebox-house target/debug/"
    ));
    guest
}

/// Starts it on a text console that is in front, for somebody, for some seconds. The first six consoles are for logins:
/// there a getty comes by itself.
fn start(guest: &mut Guest, user: &str, console: u32, seconds: u32) {
    guest.sh(&format!(
        "rig-fault front {console}
         systemd-run -q --unit=demo-{user} -p User={user} -p TTYPath=/dev/tty{console} -p TTYReset=yes \
             -p StandardInput=tty -p StandardOutput=tty -p RemainAfterExit=yes \
             -E TERM=linux -E HOME=/tmp -E XDG_CACHE_HOME={CHECKOUT}/cache {CHECKOUT}/tests/demo {seconds}"
    ));
}

/// Waits for its end; what the console says then.
fn said(guest: &mut Guest, user: &str, console: u32) -> String {
    guest.until(
        120,
        &format!("[ $(systemctl show -P SubState demo-{user}) != running ]"),
    );
    let said = guest.sh(&format!(
        "systemctl show -P ExecMainStatus demo-{user}; fold -w $(stty -F /dev/tty{console} size | cut -d' ' -f2) \
         </dev/vcs{console} | sed 's/ *$//'"
    ));
    println!("{said}");
    let (status, text) = said.split_once('\n').expect("a status");
    assert_eq!(status, "0", "{text}");
    text.to_owned()
}

/// How many different colours are on the screen, seen from outside: a text console has a handful, our sample thousands.
fn colours(guest: &mut Guest, name: &str) -> usize {
    let path = guest.screendump(name);
    let picture = image::open(&path).expect("a picture").to_rgb8();
    picture.pixels().collect::<HashSet<_>>().len()
}

/// The count before a word of the report, as in `718 presented`.
fn count(text: &str, word: &str) -> u64 {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|found| found.starts_with(word));
    let count = at.and_then(|at| words.get(at.checked_sub(1)?)?.parse().ok());
    count.unwrap_or_else(|| panic!("no {word} in: {text}"))
}

/// Signs in with what the link on a console says; the status.
fn sign_in(guest: &mut Guest, console: u32) -> String {
    let status = guest.sh(&format!(
        r#"link=$(grep -ao 'http://[^ ]*/sign-in#email=[^ ]*' /dev/vcs{console} | head -n 1)
           address=${{link#http://}} address=${{address%%/*}}
           email=${{link#*email=}} email=${{email%%&*}}
           body="{{\"email\": \"$email\", \"password\": \"${{link#*password=}}\"}}"
           exec 3<>/dev/tcp/${{address%:*}}/${{address#*:}}
           printf 'POST /api/v1/sign-in HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n' $address >&3
           printf 'Content-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' ${{#body}} "$body" >&3
           head -n 1 <&3 | cut -d' ' -f2"#
    ));
    status.trim().to_owned()
}

#[test]
fn it_draws_on_the_screen_of_who_may_and_says_why() {
    let mut guest = built();
    start(&mut guest, "artist", 8, 30);
    guest.until(60, "[ \"$(rig-fault console-mode 8)\" = 1 ]");
    guest.until(
        60,
        "museboxctl --socket /tmp/tmp.*/control.sock status | grep -qE 'Tide|Mobile|Dunes'",
    );
    // The link that it prints lets a person in.
    let signed_in = sign_in(&mut guest, 8);
    guest.sh("sleep 1");
    let drawn = colours(&mut guest, "drawn.png");
    assert!(drawn > 1000, "{drawn} colours");
    let text = said(&mut guest, "artist", 8);
    for words in [
        "on the screen: this is a text console, and its user may draw on the screen.",
        "Sign in at http",
    ] {
        assert!(text.contains(words), "{text}");
    }
    assert!(count(&text, "presented") > 100, "{text}");
    assert_eq!(signed_in, "204", "{text}");
    assert_eq!(guest.sh("rig-fault console-mode 8").trim(), "0");
    let left = colours(&mut guest, "left.png");
    assert!(left < 100, "the console is back, in {left} colours");

    start(&mut guest, "root", 10, 5);
    let text = said(&mut guest, "root", 10);
    assert!(
        text.contains("on the screen: this is a text console"),
        "{text}"
    );

    start(&mut guest, "guest", 9, 2);
    let text = said(&mut guest, "guest", 9);
    let why = "only root and the group video may draw on the screen";
    assert!(text.contains(why), "{text}");
    assert_eq!(guest.sh("rig-fault console-mode 9").trim(), "0");
    let over_ssh = guest.sh(&format!(
        "XDG_CACHE_HOME={CHECKOUT}/cache HOME=/tmp {CHECKOUT}/tests/demo 1 </dev/null"
    ));
    let why = "this terminal is no text console";
    assert!(over_ssh.contains(why), "{over_ssh}");
}
