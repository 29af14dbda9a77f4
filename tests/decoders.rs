//! Which decoder is used: hardware first, and software where the hardware fails.
//!
//! The hardware is a fake: an element that says it is a hardware decoder, stands above all by its rank, and refuses to
//! start, as a driver does whose device is busy or broken.

#![allow(clippy::disallowed_methods)] // The list is for the domain.

use std::{sync::atomic::Ordering, time::Duration};

use gstreamer as gst;
use gstreamer::{glib, prelude::*};
use musebox::gst::{DecoderOptions, trial};

/// A real clip: a pattern in H.264 and a tone in AAC.
const CLIP: &[u8] = include_bytes!("../src/player/doctor/h264-aac.mp4");
const LIMIT: Duration = Duration::from_secs(60);

glib::wrapper! {
    /// A decoder that is broken.
    pub struct Broken(ObjectSubclass<broken::Broken>) @extends gst::Element, gst::Object;
}

mod broken {
    use std::sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
    };

    use gstreamer::{prelude::*, subclass::prelude::*};

    use super::{glib, gst};

    /// How often it was asked to start.
    pub static STARTS: AtomicUsize = AtomicUsize::new(0);

    /// Its pads.
    pub struct Broken {
        pads: [gst::Pad; 2],
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Broken {
        const NAME: &'static str = "MuseboxBrokenDecoder";
        type Type = super::Broken;
        type ParentType = gst::Element;

        fn with_class(class: &Self::Class) -> Self {
            let pad = |name| {
                let template = class.pad_template(name).expect("a template");
                gst::Pad::from_template(&template)
            };
            Self {
                pads: [pad("sink"), pad("src")],
            }
        }
    }

    impl ObjectImpl for Broken {
        fn constructed(&self) {
            self.parent_constructed();
            for pad in &self.pads {
                self.obj().add_pad(pad).expect("a pad");
            }
        }
    }

    impl GstObjectImpl for Broken {}

    impl ElementImpl for Broken {
        fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
            static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
                gst::subclass::ElementMetadata::new(
                    "A decoder that is broken",
                    "Codec/Decoder/Video/Hardware",
                    "Refuses to start",
                    "musebox",
                )
            });
            Some(&METADATA)
        }

        fn pad_templates() -> &'static [gst::PadTemplate] {
            static TEMPLATES: LazyLock<[gst::PadTemplate; 2]> = LazyLock::new(|| {
                [
                    ("sink", gst::PadDirection::Sink, "video/x-h264"),
                    ("src", gst::PadDirection::Src, "video/x-raw"),
                ]
                .map(|(name, direction, caps)| {
                    let caps = gst::Caps::new_empty_simple(caps);
                    gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
                        .expect("a template")
                })
            });
            TEMPLATES.as_slice()
        }

        fn change_state(
            &self,
            transition: gst::StateChange,
        ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
            if transition == gst::StateChange::NullToReady {
                STARTS.fetch_add(1, Ordering::SeqCst);
                gst::element_imp_error!(self, gst::ResourceError::Busy, ["the device is busy"]);
                return Err(gst::StateChangeError);
            }
            self.parent_change_state(transition)
        }
    }
}

#[test]
fn a_broken_hardware_decoder_is_tried_first_and_software_takes_over() {
    gst::init().expect("GStreamer");
    let rank = gst::Rank::PRIMARY + 100;
    gst::Element::register(None, "brokenhwdec", rank, Broken::static_type()).expect("a name");

    let found = trial(CLIP, &DecoderOptions::default(), LIMIT).expect("a picture all the same");
    assert_eq!(
        broken::STARTS.load(Ordering::SeqCst),
        1,
        "it is tried first"
    );
    assert_ne!(found.decoder, "brokenhwdec");
    assert!(!found.hardware);

    // Where hardware is turned off, it is not even tried.
    let software = DecoderOptions {
        software_only: true,
        ..DecoderOptions::default()
    };
    trial(CLIP, &software, LIMIT).expect("a picture");
    assert_eq!(broken::STARTS.load(Ordering::SeqCst), 1);
}
