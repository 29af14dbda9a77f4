//! The command line: `make`, `image` and `judge`. Standard streams come in as arguments, so tests run it in place.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read, Write},
    path::PathBuf,
    str::FromStr,
};

use super::{
    expect::Expect,
    generate::{self, Audio, Clip, GenerateError, Layout},
    judge,
};

const HELP: &str = "\
counted make OUT.mp4|mov|mkv|webm|ts [--id N] [--size WxH] [--rate 25|30000/1001] [--frames N]
        [--codec h264|hevc|vp9|vp8] [--bframes N] [--gop N] [--crf N] [--fragmented | --moov-first] [--no-audio]
    Makes a clip whose every frame carries its number. Without options: id 1, 640x360, 25 Hz, 50 frames, H.264.

counted image OUT.png|jpg|webp [--id N] [--size WxH]
    Makes an image.

counted judge CAPTURE.y4m|- [--audio CAPTURE.wav] [--expect SPEC] [--rounds N] [--json]
        [--max-boundary VBLANKS] [--max-growth VBLANKS] [--max-repeated VBLANKS]
        [--max-offset MS] [--max-drift MS]
    Tells what a capture shows, and exits with 0 if all is as expected, with 1 if not.
    SPEC is the playlist: clips as ID:FRAMES:RATE, with :mute after those without sound, images as
    ID:still:MILLISECONDS, in order, with commas between. With --rounds the capture must show it so often and then
    end; without, it may end anywhere.
    The limits, unless told otherwise: items begin at most 1 vblank off, growing by at most 0.5 vblanks on average;
    no frame stands longer than its allotment; sound is at most 25 ms off and drifts by at most 1 ms.

Exit status 2 means a bad argument.
";

enum Failure {
    Argument(String),
    Run(String),
}

/// The standard streams.
pub struct Streams<'a> {
    /// Where a capture named `-` comes from.
    pub input: &'a mut dyn Read,
    /// Where verdicts go.
    pub output: &'a mut dyn Write,
    /// Where complaints go.
    pub errors: &'a mut dyn Write,
}

/// Runs the command that the words give; the exit status.
pub fn run(words: impl IntoIterator<Item = String>, streams: Streams<'_>) -> u8 {
    let mut words: VecDeque<String> = words.into_iter().collect();
    let Streams {
        input,
        output,
        errors,
    } = streams;
    let outcome = match words.pop_front().as_deref() {
        Some("make") => make(Arguments(words)),
        Some("image") => image(Arguments(words)),
        Some("judge") => judge(Arguments(words), input, output),
        Some("help" | "--help" | "-h") => print(output, HELP).map(|()| 0),
        Some(other) => Err(Failure::Argument(format!("\"{other}\" is no command"))),
        None => Err(Failure::Argument("no command".to_owned())),
    };
    let (status, message) = match outcome {
        Ok(status) => return status,
        Err(Failure::Argument(message)) => (2, format!("{message}; see \"counted help\"")),
        Err(Failure::Run(message)) => (1, message),
    };
    let _ = writeln!(errors, "counted: {message}"); // There is nobody else to tell.
    status
}

fn print(output: &mut dyn Write, text: &str) -> Result<(), Failure> {
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .map_err(|error| Failure::Run(format!("standard output: {error}")))
}

/// The words after the command.
struct Arguments(VecDeque<String>);

impl Arguments {
    /// Takes `--name` away, if it is there.
    fn flag(&mut self, name: &str) -> bool {
        let place = self.0.iter().position(|word| word == name);
        place.and_then(|place| self.0.remove(place)).is_some()
    }

    /// Takes `--name VALUE` (or `--name=VALUE`) away, if it is there.
    fn option<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, Failure>
    where
        T::Err: ToString,
    {
        let is_it = |word: &String| {
            word.strip_prefix(name)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        };
        let Some(place) = self.0.iter().position(is_it) else {
            return Ok(None);
        };
        let word = self.0.remove(place).unwrap_or_default();
        let value = match word.split_once('=') {
            Some((_, value)) => value.to_owned(),
            None => self
                .0
                .remove(place)
                .ok_or_else(|| Failure::Argument(format!("{name} needs a value")))?,
        };
        value.parse().map(Some).map_err(|error: T::Err| {
            Failure::Argument(format!("{name} {value}: {}", error.to_string()))
        })
    }

    /// The one word that is left.
    fn path(mut self) -> Result<PathBuf, Failure> {
        let path = self
            .0
            .pop_front()
            .ok_or_else(|| Failure::Argument("no file is named".to_owned()))?;
        match self.0.pop_front() {
            None if path == "-" || !path.starts_with('-') => Ok(path.into()),
            None => Err(Failure::Argument(format!("\"{path}\" is no option here"))),
            Some(word) => Err(Failure::Argument(format!("\"{word}\" is too much"))),
        }
    }
}

/// A file that is opened when it is first read: the sound of a capture that is still to come.
enum LateFile {
    Named(PathBuf),
    Open(File),
}

impl Read for LateFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Named(path) = self {
            let named = |error: io::Error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            };
            *self = Self::Open(File::open(&path).map_err(named)?);
        }
        match self {
            Self::Named(_) => Ok(0),
            Self::Open(file) => file.read(buffer),
        }
    }
}

struct Size(usize, usize);

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sides = text
            .split_once('x')
            .and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        sides
            .map(|(width, height)| Self(width, height))
            .ok_or("write a size as WIDTHxHEIGHT")
    }
}

fn made(result: Result<(), GenerateError>) -> Result<u8, Failure> {
    match result {
        Ok(()) => Ok(0),
        Err(GenerateError::Argument(message)) => Err(Failure::Argument(message)),
        Err(error) => Err(Failure::Run(error.to_string())),
    }
}

fn make(mut arguments: Arguments) -> Result<u8, Failure> {
    let mut clip = Clip::new(arguments.option("--id")?.unwrap_or(1));
    if let Some(Size(width, height)) = arguments.option("--size")? {
        clip.size = (width, height);
    }
    clip.rate = arguments.option("--rate")?.unwrap_or(clip.rate);
    clip.frames = arguments.option("--frames")?.unwrap_or(clip.frames);
    clip.codec = arguments.option("--codec")?.unwrap_or(clip.codec);
    clip.bframes = arguments.option("--bframes")?.unwrap_or(clip.bframes);
    clip.gop = arguments.option("--gop")?;
    clip.crf = arguments.option("--crf")?;
    clip.layout = match (
        arguments.flag("--fragmented"),
        arguments.flag("--moov-first"),
    ) {
        (true, true) => {
            return Err(Failure::Argument(
                "--fragmented and --moov-first exclude each other".to_owned(),
            ));
        }
        (true, false) => Layout::Fragmented,
        (false, true) => Layout::IndexFirst,
        (false, false) => Layout::IndexLast,
    };
    if arguments.flag("--no-audio") {
        clip.audio = Audio::None;
    }
    made(generate::make(&clip, &arguments.path()?))
}

fn image(mut arguments: Arguments) -> Result<u8, Failure> {
    let id = arguments.option("--id")?.unwrap_or(1);
    let Size(width, height) = arguments.option("--size")?.unwrap_or(Size(640, 360));
    made(generate::image(id, (width, height), &arguments.path()?))
}

fn judge(
    mut arguments: Arguments,
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> Result<u8, Failure> {
    let mut expect: Expect = arguments.option("--expect")?.unwrap_or_default();
    expect.rounds = arguments.option("--rounds")?;
    if expect.rounds.is_some() && expect.items.is_empty() {
        return Err(Failure::Argument("--rounds needs --expect".to_owned()));
    }
    let limits = &mut expect.limits;
    limits.boundary = arguments
        .option("--max-boundary")?
        .unwrap_or(limits.boundary);
    limits.growth = arguments.option("--max-growth")?.unwrap_or(limits.growth);
    limits.repeated = arguments
        .option("--max-repeated")?
        .unwrap_or(limits.repeated);
    limits.offset_ms = arguments
        .option("--max-offset")?
        .unwrap_or(limits.offset_ms);
    limits.drift_ms = arguments.option("--max-drift")?.unwrap_or(limits.drift_ms);
    let audio: Option<PathBuf> = arguments.option("--audio")?;
    let json = arguments.flag("--json");
    let path = arguments.path()?;
    let open = |path: &PathBuf| {
        File::open(path).map_err(|error| Failure::Run(format!("{}: {error}", path.display())))
    };
    let mut sound = audio.map(LateFile::Named);
    let capture: Box<dyn Read + '_> = match path.as_os_str() == "-" {
        true => Box::new(input),
        false => Box::new(open(&path)?),
    };
    let verdict = judge::judge(
        capture,
        sound.as_mut().map(|file| file as &mut dyn Read),
        &expect,
    )
    .map_err(|error| Failure::Run(error.to_string()))?;
    match json {
        true => print(output, &format!("{:#}\n", verdict.to_json()))?,
        false => print(output, &format!("{verdict}\n"))?,
    }
    Ok(u8::from(!verdict.passed()))
}
