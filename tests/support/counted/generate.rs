//! Makes counted clips and images: draws the frames, writes the sound, and has ffmpeg encode both.

use std::{
    error::Error,
    ffi::OsString,
    fmt,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    str::FromStr,
    thread,
};

use super::{
    draw::Artist,
    pattern::{MOST_FRAMES, Rate, STILL},
    sound,
};

/// How a clip's picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// H.264.
    H264,
    /// HEVC.
    Hevc,
    /// VP9.
    Vp9,
    /// VP8.
    Vp8,
}

impl FromStr for Codec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "h264" => Ok(Self::H264),
            "hevc" => Ok(Self::Hevc),
            "vp9" => Ok(Self::Vp9),
            "vp8" => Ok(Self::Vp8),
            _ => Err(format!(
                "\"{text}\" is not a codec: write h264, hevc, vp9 or vp8"
            )),
        }
    }
}

/// How an MP4 file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The index after the media.
    IndexLast,
    /// The index before the media.
    IndexFirst,
    /// In fragments, one for each group of pictures.
    Fragmented,
}

/// Whether a clip has sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audio {
    /// A track with beeps: Opus in WebM and beside VP8 and VP9, else AAC.
    Beeps,
    /// No track.
    None,
}

/// A clip to make.
#[derive(Clone, Debug)]
pub struct Clip {
    /// Its id.
    pub id: u8,
    /// Pixels across and down.
    pub size: (usize, usize),
    /// Frames a second.
    pub rate: Rate,
    /// How many frames.
    pub frames: u32,
    /// How it is encoded.
    pub codec: Codec,
    /// B-frames between two others; for H.264 and HEVC.
    pub bframes: u32,
    /// How the file is laid out; for MP4 and MOV.
    pub layout: Layout,
    /// Whether it has sound.
    pub audio: Audio,
    /// Frames in a group of pictures; without, two seconds.
    pub gop: Option<u32>,
    /// The encoder's quality; without, 23 (32 for VP8 and VP9).
    pub crf: Option<u32>,
}

impl Clip {
    /// A clip of two seconds in H.264, 640x360 at 25 Hz, with sound.
    pub fn new(id: u8) -> Self {
        Self {
            id,
            size: (640, 360),
            rate: Rate::hertz(25),
            frames: 50,
            codec: Codec::H264,
            bframes: 0,
            layout: Layout::IndexLast,
            audio: Audio::Beeps,
            gop: None,
            crf: None,
        }
    }
}

/// Why a file was not made.
#[derive(Debug)]
pub enum GenerateError {
    /// What was asked for makes no sense.
    Argument(String),
    /// ffmpeg failed; its last words.
    Encoder(String),
    /// A file or a pipe failed.
    Io(PathBuf, io::Error),
}

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(why) => f.write_str(why),
            Self::Encoder(words) => write!(f, "ffmpeg failed: {}", words.trim()),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl Error for GenerateError {}

/// Makes a clip. The container is the one that the name's ending says.
pub fn make(clip: &Clip, output: &Path) -> Result<(), GenerateError> {
    if !(1..=MOST_FRAMES).contains(&clip.frames) {
        return Err(GenerateError::Argument(format!(
            "a clip has 1 to {MOST_FRAMES} frames"
        )));
    }
    let artist = Artist::new(clip.id, clip.size.0, clip.size.1, clip.rate, clip.frames)
        .map_err(GenerateError::Argument)?;
    let ending = ending(output);
    let sound = match clip.audio {
        Audio::Beeps => Some(SoundFile::write(clip, output)?),
        Audio::None => None,
    };
    let mut command = raw_input(clip.size, clip.rate);
    if let Some(sound) = &sound {
        if is_opus(clip.codec, &ending) {
            // FFmpeg 5.1 writes Matroska's CodecDelay but not the time stamps that go with it: without this, the
            // sound is early by the encoder's delay of 312 samples. The round-trip tests tell when that is mended.
            command.args(["-itsoffset", "0.0065"]);
        }
        command.arg("-i").arg(&sound.0);
    }
    command.args(video_arguments(clip));
    if sound.is_some() {
        command.args(audio_arguments(clip.codec, &ending));
    }
    if matches!(ending.as_str(), "mp4" | "mov" | "m4v") {
        match clip.layout {
            Layout::IndexLast => {}
            Layout::IndexFirst => {
                command.args(["-movflags", "+faststart"]);
            }
            Layout::Fragmented => {
                command.args([
                    "-movflags",
                    "frag_keyframe+empty_moov+default_base_moof+delay_moov",
                ]);
            }
        }
    } else if clip.layout != Layout::IndexLast {
        return Err(GenerateError::Argument(format!(
            "a .{ending} file has no such layout: fragments and an early index are for .mp4 and .mov"
        )));
    }
    let mut canvas = artist.canvas();
    encode(command, output, |pipe| {
        (0..clip.frames).try_for_each(|number| {
            artist.draw(number, &mut canvas);
            canvas.write_to(pipe)
        })
    })
}

/// Makes an image: PNG, JPEG or WebP, as the name's ending says.
pub fn image(id: u8, size: (usize, usize), output: &Path) -> Result<(), GenerateError> {
    let artist =
        Artist::new(id, size.0, size.1, Rate::hertz(1), 1).map_err(GenerateError::Argument)?;
    let mut command = raw_input(size, Rate::hertz(1));
    let to_rgb = "scale=in_color_matrix=bt709:in_range=tv:flags=accurate_rnd,format=gbrp";
    match ending(output).as_str() {
        "png" => command.args(["-vf", &format!("{to_rgb},format=rgb24")]),
        "webp" => command.args([
            "-vf",
            &format!("{to_rgb},format=bgra"),
            "-c:v",
            "libwebp",
            "-quality",
            "90",
        ]),
        // JFIF means BT.601 in full range.
        "jpg" | "jpeg" => command.args([
            "-vf",
            &format!("{to_rgb},scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p"),
            "-q:v",
            "3",
        ]),
        other => {
            return Err(GenerateError::Argument(format!(
                "\".{other}\" is not an image: write .png, .jpg or .webp"
            )));
        }
    };
    command.args(["-frames:v", "1", "-update", "1", "-f", "image2"]);
    encode(command, output, |pipe| artist.frame(STILL).write_to(pipe))
}

fn ending(path: &Path) -> String {
    path.extension()
        .map(|ending| ending.to_string_lossy().to_ascii_lowercase())
        .unwrap_or_default()
}

fn raw_input((width, height): (usize, usize), rate: Rate) -> Command {
    let mut command = Command::new("ffmpeg");
    command.args([
        "-hide_banner",
        "-nostdin",
        "-v",
        "error",
        "-y",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "yuv420p",
    ]);
    command.args([
        "-s",
        &format!("{width}x{height}"),
        "-r",
        &rate.to_string(),
        "-i",
        "pipe:0",
    ]);
    command
}

fn video_arguments(clip: &Clip) -> Vec<String> {
    let gop = clip
        .gop
        .unwrap_or((2.0 * clip.rate.as_hertz()).round() as u32)
        .max(1);
    let bframes = clip.bframes;
    let closed = format!("open-gop=0:keyint={gop}:bframes={bframes}:b-adapt=0:scenecut=0");
    let crf = |standard: u32| clip.crf.unwrap_or(standard).to_string();
    let words = match clip.codec {
        Codec::H264 => format!(
            "-c:v libx264 -preset veryfast -crf {} -x264-params {closed}",
            crf(23)
        ),
        Codec::Hevc => format!(
            "-c:v libx265 -preset ultrafast -tag:v hvc1 -crf {} -x265-params {closed}:log-level=error",
            crf(23)
        ),
        Codec::Vp9 => format!(
            "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -row-mt 1 -b:v 0 -crf {}",
            crf(32)
        ),
        Codec::Vp8 => format!(
            "-c:v libvpx -deadline realtime -cpu-used 8 -b:v 4M -crf {}",
            crf(32)
        ),
    };
    let common = format!(
        " -g {gop} -pix_fmt yuv420p -color_range tv -colorspace bt709 -color_primaries bt709 -color_trc bt709 \
         -fps_mode passthrough -map_metadata -1 -fflags +bitexact -flags +bitexact"
    );
    words
        .split_whitespace()
        .chain(common.split_whitespace())
        .map(str::to_owned)
        .collect()
}

fn is_opus(codec: Codec, ending: &str) -> bool {
    ending == "webm" || ending == "mkv" && matches!(codec, Codec::Vp8 | Codec::Vp9)
}

fn audio_arguments(codec: Codec, ending: &str) -> [&'static str; 4] {
    match is_opus(codec, ending) {
        true => ["-c:a", "libopus", "-b:a", "128k"],
        false => ["-c:a", "aac", "-b:a", "128k"],
    }
}

/// The clip's sound, in a file beside the output for as long as it is needed: ffmpeg has one standard input.
struct SoundFile(PathBuf);

impl SoundFile {
    fn write(clip: &Clip, output: &Path) -> Result<Self, GenerateError> {
        let mut name = output.file_name().unwrap_or_default().to_os_string();
        name.push(".beeps.wav");
        let path = output.with_file_name(name);
        let written = File::create(&path).and_then(|file| {
            let mut file = BufWriter::new(file);
            sound::write_wav(&mut file, &sound::samples(clip.rate, clip.frames), 2)?;
            file.flush()
        });
        let file = Self(path);
        written.map_err(|error| GenerateError::Io(file.0.clone(), error))?;
        Ok(file)
    }
}

impl Drop for SoundFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // Nothing depends on it any more.
    }
}

/// Runs ffmpeg, feeds it, and tells its own words if it fails.
fn encode(
    mut command: Command,
    output: &Path,
    feed: impl FnOnce(&mut BufWriter<ChildStdin>) -> io::Result<()>,
) -> Result<(), GenerateError> {
    let failed = |error| GenerateError::Io(output.to_owned(), error);
    // "file:" keeps a name that begins with a dash or has a colon from meaning something else.
    let mut name = OsString::from("file:");
    name.push(output);
    let mut child = command
        .arg(name)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| GenerateError::Io("ffmpeg".into(), error))?;
    let mut stderr = child.stderr.take();
    let listener = thread::spawn(move || {
        let mut words = Vec::new();
        if let Some(stderr) = &mut stderr {
            let _ = stderr.read_to_end(&mut words); // What came before an error is worth telling.
        }
        String::from_utf8_lossy(&words).into_owned()
    });
    let fed = match child.stdin.take() {
        Some(stdin) => {
            let mut pipe = BufWriter::new(stdin);
            feed(&mut pipe).and_then(|()| pipe.flush())
        }
        None => Ok(()),
    };
    let status = child.wait().map_err(failed)?;
    let words = listener.join().unwrap_or_default();
    match status.success() {
        true => fed.map_err(failed),
        false => Err(GenerateError::Encoder(words)),
    }
}
