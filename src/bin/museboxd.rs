//! scratch
use std::sync::{Arc, mpsc::channel};
use musebox::{domain::{ids::*, pacing::Patience, playlist::Item, sequencer::*, units::*, fit::Fit, pacing::News}, kms::{Display, virtual_display::*}, player::{presenter::*, gauges::Gauges, mixer::Mixer, loader::*, }, os::doorbell::Doorbell, gst::SlotNews};
enum Ev { Slot(SlotId, LoadId, SlotNews), Notice(Notice) }
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let out = &args[1]; let rounds: usize = args[2].parse().unwrap();
    let files = &args[3..];
    musebox::gst::init().unwrap();
    let bell = Doorbell::new().unwrap();
    let mode: Mode = "1280x720@60".parse().unwrap();
    let real = std::env::var("REAL").is_ok();
    let mut d = VirtualDisplay::new(vec![mode], if real {Pace::Real} else {Pace::Lockstep});
    if out != "none" { d = d.with_capture(Box::new(std::fs::File::create(out).unwrap())).unwrap(); }
    let (ev, events) = channel();
    let (orders, rx) = channel();
    let (garbage, g) = channel();
    std::thread::spawn(move || for x in g { drop(x) });
    let gauges = Arc::new(Gauges::default());
    let n = ev.clone();
    let p = Presenter::new(Display::Virtual(d), bell.clone(), rx, Box::new(move |x| {let _=n.send(Ev::Notice(x));}), garbage, gauges.clone(), Settings{patience: if real {Patience::GoOn} else {Patience::Wait}, duration: None, fit: Fit::Contain, background:[0;3]}, Mixer::new(None, 1.0));
    let t = std::thread::spawn(move || p.run());
    let send = |o| { orders.send(o).unwrap(); bell.ring(); };
    let loader = Loader{bell: bell.clone(), decoders: Default::default(), screen: mode.size};
    let item = |i: usize| Arc::new(Item{id: ItemId::new("x"), src: files[i % files.len()].clone(), kind: None, duration: None, sha256: None, title: None});
    let mut slots = std::collections::HashMap::new();
    let total = rounds * files.len();
    let mut shown = 0; let mut loading = 0;
    let load = |i: usize, slots: &mut std::collections::HashMap<LoadId, Loaded>| { let ev = ev.clone(); let id = LoadId(i as u64); let s = if i % 2 == 0 {SlotId::A} else {SlotId::B};
        slots.insert(id, loader.open(id, &item(i), move |n| {let _=ev.send(Ev::Slot(s, id, n));}).unwrap()); };
    let mono = files.len() == 1;
    load(0, &mut slots);
    let mut lengths = std::collections::HashMap::new();
    let mut end: Option<MediaTime> = None;
    let z = ScreenIndex(0);
    let started = std::time::Instant::now();
    for e in events { match e {
        Ev::Slot(s, id, SlotNews::Ready{media, traits, decoder, ..}) => {
            eprintln!("ready {s} {id} {media:?} {decoder} {:?}", started.elapsed());
            let l = match media { Media::Timed(t) => Some(t), Media::Still => Some(MediaTime::from_seconds(2)), _ => None };
            lengths.insert(id, l);
            send(Order::Attach{screen: z, slot: s, load: id, feed: slots[&id].feed().clone(), traits});
            send(Order::Show{screen: z, load: id, cue: end.map_or(Cue::Now, Cue::At), length: l});
        }
        Ev::Slot(_, id, n) => { eprintln!("{id} {n:?}"); if let SlotNews::EndKnown(l) = n { send(Order::EndKnown(z, id, l)); } if let SlotNews::Failed(_) = n { break; } }
        Ev::Notice(Notice::News(_, News::Shown{load: id, start, ..})) => {
            shown += 1;
            if shown % 100 == 1 || !mono { eprintln!("shown {id} at {start} {:?}", started.elapsed()); }
            let e = lengths[&id].map(|l| start + l); end = e;
            if shown == total { send(Order::Finish(e.unwrap())); continue; }
            if mono { send(Order::Replay{screen: z, cue: Cue::At(e.unwrap()), length: lengths[&id]}); }
            else { loading += 1; if loading > 1 { let old = LoadId(loading as u64 - 2); slots.remove(&old); send(Order::Detach{screen: z, load: old}); } load(loading, &mut slots); }
        }
        Ev::Notice(Notice::Finished) => break,
        Ev::Notice(n) => eprintln!("{n:?}"),
    }}
    send(Order::Quit);
    let (mut d, _) = t.join().unwrap();
    println!("{:?} captured {:?} waits {:?} {:?}", gauges.counters(), d.finish_capture(), gauges.waits(), started.elapsed());
}
