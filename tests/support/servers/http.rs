//! An HTTP server for a folder, with ranges. Dropping it cuts every connection, as a power cut would.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use super::ports;

/// How the server treats who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It sends what is asked for.
    Serves,
    /// It sends no byte of a file beyond this one, and keeps the connection.
    HoldsAt(u64),
    /// It takes the connection and says nothing.
    Silent,
}

/// A server that runs until it is dropped.
pub struct Http {
    address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

struct State {
    folder: PathBuf,
    manner: Manner,
    over: AtomicBool,
    streams: Mutex<Vec<TcpStream>>,
}

impl Http {
    /// Serves a folder on a port of its own.
    pub fn start(folder: &Path, manner: Manner) -> Self {
        Self::again(folder, ports::free(), manner)
    }

    /// Serves a folder on the port of a server that went away.
    pub fn again(folder: &Path, port: u16, manner: Manner) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State {
            folder: folder.to_owned(),
            manner,
            over: AtomicBool::new(false),
            streams: Mutex::default(),
        });
        let thread = thread::spawn({
            let state = state.clone();
            move || accept(&listener, &state)
        });
        Self {
            address,
            state,
            thread: Some(thread),
        }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address of a file.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::SeqCst);
        // Whoever waits for a connection gets this one, and sees that it is over.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server does not panic");
        }
    }
}

fn accept(listener: &TcpListener, state: &Arc<State>) {
    let mut workers = Vec::new();
    for stream in listener.incoming() {
        let Ok(stream) = stream else { continue };
        if state.over.load(Ordering::SeqCst) {
            break;
        }
        if let Ok(stream) = stream.try_clone() {
            state.streams.lock().expect("no panic").push(stream);
        }
        let state = state.clone();
        workers.push(thread::spawn(move || {
            // Who hangs up gets no more.
            let _ = serve(stream, &state);
        }));
    }
    for stream in state.streams.lock().expect("no panic").drain(..) {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for worker in workers {
        worker.join().expect("a worker does not panic");
    }
}

fn serve(mut stream: TcpStream, state: &State) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some((path, range)) = request(&mut reader)? {
        if state.manner == Manner::Silent {
            return hold(&mut reader);
        }
        let found = path
            .split(['?', '#'])
            .next()
            .filter(|path| !path.contains(".."))
            .and_then(|path| File::open(state.folder.join(path.trim_start_matches('/'))).ok());
        let Some(mut file) = found else {
            stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")?;
            continue;
        };
        let size = file.metadata()?.len();
        let (status, start, end) = match range {
            Some((start, end)) if start < size => {
                ("206 Partial Content", start, end.min(size - 1) + 1)
            }
            Some(_) => ("416 Range Not Satisfiable", size, size),
            None => ("200 OK", 0, size),
        };
        let range = match range {
            Some(_) if start < end => {
                format!("Content-Range: bytes {start}-{}/{size}\r\n", end - 1)
            }
            _ => String::new(),
        };
        write!(
            stream,
            "HTTP/1.1 {status}\r\nAccept-Ranges: bytes\r\nContent-Length: {}\r\n{range}\r\n",
            end - start
        )?;
        file.seek(SeekFrom::Start(start))?;
        let last = match state.manner {
            Manner::HoldsAt(last) => last.clamp(start, end),
            Manner::Serves | Manner::Silent => end,
        };
        io::copy(&mut file.take(last - start), &mut stream)?;
        if last < end {
            return hold(&mut reader);
        }
    }
    Ok(())
}

/// Waits until the connection is cut.
fn hold(reader: &mut impl Read) -> io::Result<()> {
    io::copy(reader, &mut io::sink()).map(drop)
}

/// The first byte and the last one that are asked for, if not all.
type Bytes = Option<(u64, u64)>;

/// Reads a request: its path and the bytes that it asks for.
fn request(reader: &mut impl BufRead) -> io::Result<Option<(String, Bytes)>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let path = line.split_whitespace().nth(1).unwrap_or("/").to_owned();
    let mut range = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            return Ok(Some((path, range)));
        }
        let line = line.to_ascii_lowercase();
        let bytes = line
            .strip_prefix("range: bytes=")
            .and_then(|it| it.trim().split_once('-'));
        if let Some((start, end)) = bytes
            && let Ok(start) = start.parse()
        {
            range = Some((start, end.parse().unwrap_or(u64::MAX - 1)));
        }
    }
}
