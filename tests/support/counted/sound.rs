//! The sound of counted clips: a beep of 50 ms wherever a flash begins, WAV files, and when beeps begin.

use std::{
    error::Error,
    f64::consts::TAU,
    fmt,
    io::{self, BufReader, Read, Write},
};

use super::{draw::flashes, pattern::Rate};

/// Samples a second, of all that is written and read here.
pub const SAMPLE_RATE: u32 = 48_000;
/// How long a beep lasts, in samples.
const BEEP: u64 = 2_400;
const BEEP_HERTZ: f64 = 1_000.0;
const BEEP_LEVEL: f64 = 0.5;
/// So much quiet, in samples, ends a beep: 30 ms.
const QUIET: u64 = 1_440;
/// Fainter than this is quiet.
const FAINTEST: f32 = 0.01;
/// A beep begins where its sound first reaches its peak divided by this: above what a codec lets ring before it.
const ONSET: f32 = 3.0;

/// Why sound cannot be read.
#[derive(Debug)]
pub enum SoundError {
    /// Not a WAV file of 16-bit or float PCM at 48 kHz.
    Format(String),
    /// Reading failed.
    Io(io::Error),
}

impl fmt::Display for SoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(why) => {
                write!(f, "not a WAV file of 16-bit or float PCM at 48 kHz: {why}")
            }
            Self::Io(error) => write!(f, "reading the sound: {error}"),
        }
    }
}

impl Error for SoundError {}

impl From<io::Error> for SoundError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The samples of a clip: exactly as long as its frames, to the nearest sample.
pub fn samples(rate: Rate, frames: u32) -> Vec<i16> {
    let numerator = u64::from(rate.numerator);
    let length = (u64::from(frames) * u64::from(rate.denominator) * u64::from(SAMPLE_RATE)
        + numerator / 2)
        / numerator;
    let mut samples = vec![0; length as usize];
    for number in flashes(rate, frames) {
        beep(&mut samples, rate.sample(u64::from(number)));
    }
    samples
}

/// Puts a beep into one channel, from sample `start`; what lies past the end is lost.
pub fn beep(samples: &mut [i16], start: u64) {
    let rest = samples.get_mut(start as usize..).unwrap_or_default();
    for (index, sample) in rest.iter_mut().take(BEEP as usize).enumerate() {
        let phase = index as f64 * BEEP_HERTZ * TAU / f64::from(SAMPLE_RATE);
        *sample = (BEEP_LEVEL * f64::from(i16::MAX) * phase.sin()) as i16;
    }
}

/// Writes a WAV file of 16-bit PCM with the same sound in every channel.
pub fn write_wav(output: &mut impl Write, samples: &[i16], channels: u16) -> io::Result<()> {
    let bytes = samples.len() as u32 * u32::from(channels) * 2;
    output.write_all(b"RIFF")?;
    output.write_all(&(36 + bytes).to_le_bytes())?;
    output.write_all(b"WAVEfmt ")?;
    output.write_all(&16u32.to_le_bytes())?;
    for half in [1, channels] {
        output.write_all(&half.to_le_bytes())?;
    }
    for word in [SAMPLE_RATE, SAMPLE_RATE * u32::from(channels) * 2] {
        output.write_all(&word.to_le_bytes())?;
    }
    for half in [channels * 2, 16] {
        output.write_all(&half.to_le_bytes())?;
    }
    output.write_all(b"data")?;
    output.write_all(&bytes.to_le_bytes())?;
    for sample in samples {
        for _ in 0..channels {
            output.write_all(&sample.to_le_bytes())?;
        }
    }
    Ok(())
}

/// What was heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Heard {
    /// When each beep begins, in samples from the start.
    pub onsets: Vec<u64>,
    /// How many samples there are in each channel.
    pub samples: u64,
}

/// Reads a WAV file as it streams by and finds the beeps in its first channel. A data chunk of length 0 or of the
/// longest length, as a writer leaves it that could not go back, goes on to the end of the file.
pub fn hear(input: impl Read) -> Result<Heard, SoundError> {
    let mut input = BufReader::with_capacity(1 << 16, input);
    let format = Format::read(&mut input)?;
    let mut data = input.take(format.data_bytes);
    let frame = usize::from(format.channels) * format.sample_bytes();
    let mut block = vec![0; frame * 4096];
    let mut ear = Ear::default();
    loop {
        let length = fill(&mut data, &mut block)?;
        for sample in block[..length].chunks_exact(frame) {
            ear.hear(format.sample(sample));
        }
        if length < block.len() {
            return Ok(ear.finish());
        }
    }
}

fn fill(input: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < block.len() {
        match input.read(&mut block[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

enum Encoding {
    Whole16,
    Float32,
}

struct Format {
    encoding: Encoding,
    channels: u16,
    data_bytes: u64,
}

impl Format {
    fn read(input: &mut impl Read) -> Result<Self, SoundError> {
        let bad = |why: String| SoundError::Format(why);
        let mut head = [0; 12];
        input.read_exact(&mut head)?;
        if &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
            return Err(bad("it does not begin with RIFF and WAVE".to_owned()));
        }
        let mut format = None;
        loop {
            let mut chunk = [0; 8];
            input.read_exact(&mut chunk)?;
            let length = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
            match &chunk[..4] {
                b"data" => {
                    let (encoding, channels) =
                        format.ok_or_else(|| bad("data before fmt".to_owned()))?;
                    let data_bytes = match length {
                        0 | 0xFFFF_FF00.. => u64::MAX,
                        length => u64::from(length),
                    };
                    return Ok(Self {
                        encoding,
                        channels,
                        data_bytes,
                    });
                }
                b"fmt " if (16..=1024).contains(&length) => {
                    let mut body = vec![0; length as usize + length as usize % 2];
                    input.read_exact(&mut body)?;
                    let half = |at: usize| u16::from_le_bytes([body[at], body[at + 1]]);
                    let rate = u32::from(half(4)) | u32::from(half(6)) << 16;
                    // WAVE_FORMAT_EXTENSIBLE: the true tag begins the sub-format's GUID.
                    let tag = match half(0) {
                        0xFFFE if length >= 26 => half(24),
                        tag => tag,
                    };
                    let encoding = match (tag, half(14)) {
                        (1, 16) => Encoding::Whole16,
                        (3, 32) => Encoding::Float32,
                        (tag, bits) => return Err(bad(format!("format {tag} with {bits} bits"))),
                    };
                    if rate != SAMPLE_RATE || !(1..=64).contains(&half(2)) {
                        return Err(bad(format!("{} channels at {rate} Hz", half(2))));
                    }
                    format = Some((encoding, half(2)));
                }
                _ => {
                    let skipped = u64::from(length) + u64::from(length % 2);
                    io::copy(&mut input.take(skipped), &mut io::sink())?;
                }
            }
        }
    }

    fn sample_bytes(&self) -> usize {
        match self.encoding {
            Encoding::Whole16 => 2,
            Encoding::Float32 => 4,
        }
    }

    /// The first channel's sample.
    fn sample(&self, bytes: &[u8]) -> f32 {
        match (&self.encoding, bytes) {
            (Encoding::Whole16, [low, high, ..]) => {
                f32::from(i16::from_le_bytes([*low, *high])) / 32768.0
            }
            (Encoding::Float32, [a, b, c, d, ..]) => f32::from_le_bytes([*a, *b, *c, *d]),
            _ => 0.0,
        }
    }
}

/// Finds where beeps begin, whatever the volume, in constant memory: it notes when the sound first reached each
/// of a ladder of levels, and picks the step once the peak is known.
#[derive(Default)]
struct Ear {
    heard: Heard,
    /// When each level was first reached since the last quiet; the highest level last.
    reached: Vec<u64>,
    peak: f32,
    last_loud: u64,
}

impl Ear {
    /// Eight steps to a doubling.
    fn level(step: usize) -> f32 {
        FAINTEST * (step as f32 / 8.0).exp2()
    }

    fn hear(&mut self, sample: f32) {
        let now = self.heard.samples;
        let loudness = if sample.is_finite() {
            sample.abs().min(8.0)
        } else {
            0.0
        };
        if !self.reached.is_empty() && now - self.last_loud > QUIET {
            self.end_beep();
        }
        if loudness >= FAINTEST {
            self.last_loud = now;
            self.peak = self.peak.max(loudness);
            while loudness >= Self::level(self.reached.len()) {
                self.reached.push(now);
            }
        }
        self.heard.samples += 1;
    }

    fn end_beep(&mut self) {
        let step = (0..self.reached.len()).find(|step| Self::level(*step) >= self.peak / ONSET);
        if let Some(onset) = step.and_then(|step| self.reached.get(step)) {
            self.heard.onsets.push(*onset);
        }
        self.reached.clear();
        self.peak = 0.0;
    }

    fn finish(mut self) -> Heard {
        if !self.reached.is_empty() {
            self.end_beep();
        }
        self.heard
    }
}
