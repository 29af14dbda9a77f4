//! Framebuffers: memory that the card can scan out.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    ffi::c_void,
    io,
    num::NonZeroUsize,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr::NonNull,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use nix::{
    libc::O_CLOEXEC,
    sys::mman::{MapFlags, ProtFlags, mmap, munmap},
};

use crate::{
    domain::units::Size,
    kms::{
        atomic::card::Card,
        formats::{self, XRGB8888},
    },
};

/// `DRM_MODE_FB_MODIFIERS`.
const WITH_MODIFIERS: u32 = 1 << 1;

nix::ioctl_readwrite!(
    /// Forgets a framebuffer without turning off the plane that shows it (Linux 6.8).
    close_fb,
    b'd',
    0xd0,
    drm_ffi::drm_mode_closefb
);

/// How many of us have an imported GEM handle: the same memory always has the same handle, and closing it once closes it
/// for all. One card is open in a process.
static IMPORTED: Mutex<BTreeMap<u32, usize>> = Mutex::new(BTreeMap::new());

/// A GEM handle, which is closed when the last framebuffer on it goes.
pub struct Gem {
    card: Arc<Card>,
    handle: u32,
    /// A dumb buffer was made by us and is destroyed, not closed.
    dumb: bool,
}

impl Drop for Gem {
    fn drop(&mut self) {
        let fd = self.card.as_fd();
        if self.dumb {
            let _ = drm_ffi::mode::dumbbuffer::destroy(fd, self.handle);
            return;
        }
        // Under the lock, so that nobody gets the handle anew while it is being closed.
        let mut imported = IMPORTED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut users) = imported.entry(self.handle) {
            *users.get_mut() -= 1;
            if *users.get() == 0 {
                users.remove();
                let _ = drm_ffi::gem::close(fd, self.handle);
            }
        }
    }
}

impl Gem {
    /// The handle of a dma-buf.
    pub fn import(card: Arc<Card>, dma_buf: BorrowedFd<'_>) -> io::Result<Self> {
        let mut imported = IMPORTED.lock().unwrap_or_else(PoisonError::into_inner);
        let handle = drm_ffi::gem::fd_to_handle(card.as_fd(), dma_buf)?.handle;
        *imported.entry(handle).or_default() += 1;
        drop(imported);
        let dumb = false;
        Ok(Self { card, handle, dumb })
    }
}

/// How a framebuffer's pixels lie in its memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// The pixels.
    pub size: Size,
    /// The fourcc code.
    pub format: u32,
    /// The modifier; [`formats::IMPLICIT`] leaves it to the driver.
    pub modifier: u64,
    /// Bytes from row to row of each plane.
    pub pitches: [u32; 4],
    /// Where each plane begins.
    pub offsets: [u32; 4],
}

impl Layout {
    /// Planes one after the other in plain rows, for a format that we write ourselves: `YU12`, `NV12` or `XR24`.
    fn linear(size: Size, format: u32, pitch: u32) -> Self {
        let luma = pitch * size.height;
        let chroma = pitch / 2 * size.height.div_ceil(2);
        let (pitches, offsets) = if format == formats::fourcc(*b"YU12") {
            (
                [pitch, pitch / 2, pitch / 2, 0],
                [0, luma, luma + chroma, 0],
            )
        } else if format == formats::fourcc(*b"NV12") {
            ([pitch, pitch, 0, 0], [0, luma, 0, 0])
        } else {
            ([pitch, 0, 0, 0], [0; 4])
        };
        Self {
            size,
            format,
            modifier: formats::LINEAR,
            pitches,
            offsets,
        }
    }
}

/// A framebuffer. Dropping it leaves a plane that shows it as it is, where the kernel can do that.
pub struct Framebuffer {
    card: Arc<Card>,
    /// The object's number.
    pub id: u32,
    /// Where its pixels are.
    pub layout: Layout,
    memory: Option<Mapping>,
    _gems: Vec<Arc<Gem>>,
}

impl Drop for Framebuffer {
    fn drop(&mut self) {
        close(&self.card, self.id);
    }
}

/// Whether the kernel refused CLOSEFB once: older than 6.8.
static NO_CLOSEFB: AtomicBool = AtomicBool::new(false);

fn close(card: &Card, id: u32) {
    use std::os::fd::AsRawFd;
    if !NO_CLOSEFB.load(Ordering::Relaxed) {
        let mut argument = drm_ffi::drm_mode_closefb { fb_id: id, pad: 0 };
        // SAFETY: the card is open, and the argument is the structure that the ioctl takes.
        match unsafe { close_fb(card.as_fd().as_raw_fd(), &mut argument) } {
            Ok(_) | Err(nix::Error::ENOENT) => return,
            Err(_) => NO_CLOSEFB.store(true, Ordering::Relaxed),
        }
    }
    let _ = drm_ffi::mode::rm_fb(card.as_fd(), id);
}

impl Framebuffer {
    /// A framebuffer on GEM handles, one for each plane of the format.
    pub fn new(card: Arc<Card>, layout: Layout, gems: Vec<Arc<Gem>>) -> io::Result<Self> {
        let mut handles = [0; 4];
        let mut modifiers = [0; 4];
        let explicit = layout.modifier != formats::IMPLICIT && card.has_modifiers();
        for (plane, gem) in gems.iter().enumerate().take(4) {
            handles[plane] = gem.handle;
            modifiers[plane] = if explicit { layout.modifier } else { 0 };
        }
        let made = drm_ffi::mode::add_fb2(
            card.as_fd(),
            layout.size.width,
            layout.size.height,
            layout.format,
            &handles,
            &layout.pitches,
            &layout.offsets,
            &modifiers,
            if explicit { WITH_MODIFIERS } else { 0 },
        )?;
        Ok(Self {
            card,
            id: made.fb_id,
            layout,
            memory: None,
            _gems: gems,
        })
    }

    /// Leaves what is on the screen there, whatever becomes of us, where the kernel can do that; to be called when no
    /// other picture will follow.
    pub fn abandon(&self) {
        if !NO_CLOSEFB.load(Ordering::Relaxed) {
            close(&self.card, self.id);
        }
    }

    /// A framebuffer in memory that the process can write, without tiling (a dumb buffer).
    fn dumb(card: Arc<Card>, size: Size, format: u32) -> io::Result<Self> {
        // Of a planar format the kernel sees one tall plane of bytes; rows are even, so that chroma rows are whole.
        let width = size.width.next_multiple_of(2);
        let (bits, rows) = match format == XRGB8888 {
            true => (32, size.height),
            false => (8, size.height + size.height.div_ceil(2)),
        };
        let made = drm_ffi::mode::dumbbuffer::create(card.as_fd(), width, rows, bits, 0)?;
        let gem = Arc::new(Gem {
            card: card.clone(),
            handle: made.handle,
            dumb: true,
        });
        let map = drm_ffi::mode::dumbbuffer::map(card.as_fd(), made.handle, 0, 0)?;
        let memory = Mapping::new(&card, map.offset, made.size as usize)?;
        let layout = Layout::linear(size, format, made.pitch);
        let planes = layout.pitches.iter().filter(|pitch| **pitch > 0).count();
        let mut framebuffer = Self::new(card, layout, vec![gem; planes])?;
        framebuffer.memory = Some(memory);
        Ok(framebuffer)
    }
}

/// The card's memory in the process.
struct Mapping {
    address: NonNull<c_void>,
    length: usize,
}

// SAFETY: the mapping belongs to no thread.
unsafe impl Send for Mapping {}
// SAFETY: shared references only read; writing needs the only reference to the framebuffer.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(card: &Card, offset: u64, length: usize) -> io::Result<Self> {
        let empty = || io::Error::new(io::ErrorKind::InvalidData, "the card made an empty buffer");
        let size = NonZeroUsize::new(length).ok_or_else(empty)?;
        let offset = i64::try_from(offset).map_err(|_| empty())?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let address = unsafe {
            mmap(
                None,
                size,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                card,
                offset,
            )
        }?;
        Ok(Self { address, length })
    }

    /// The memory of a dma-buf, for reading.
    fn of_dma_buf(dma_buf: &OwnedFd, length: usize) -> io::Result<Self> {
        let whole = NonZeroUsize::new(length);
        let whole = whole.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        // SAFETY: the kernel chooses the address, and the mapping ends with `Mapping`.
        let address = unsafe {
            mmap(
                None,
                whole,
                ProtFlags::PROT_READ,
                MapFlags::MAP_SHARED,
                dma_buf,
                0,
            )
        }?;
        Ok(Self { address, length })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the mapping is this long, and nobody writes through it while `self` is borrowed.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr().cast(), self.length) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the mapping is this long, and nobody else refers to it while `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.address.as_ptr().cast(), self.length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nothing refers to it any more.
        let _ = unsafe { munmap(self.address, self.length) };
    }
}

/// The rows of each plane of a framebuffer, copied; `handles` are GEM handles of our own, which are closed.
pub fn read_dma_buf(card: &Card, handles: [u32; 4], layout: &Layout) -> io::Result<Vec<Vec<u8>>> {
    let planes = layout
        .pitches
        .iter()
        .take_while(|pitch| **pitch > 0)
        .count();
    let read = |plane: usize| {
        let height = match plane {
            0 => layout.size.height,
            _ => layout.size.height.div_ceil(2),
        };
        let (start, length) = (
            layout.offsets[plane] as usize,
            layout.pitches[plane] * height,
        );
        let exported = drm_ffi::gem::handle_to_fd(card.as_fd(), handles[plane], O_CLOEXEC as u32)?;
        // SAFETY: the kernel has just made the descriptor for us, and nobody else knows it.
        let dma_buf = unsafe { OwnedFd::from_raw_fd(exported.fd) };
        let mapping = Mapping::of_dma_buf(&dma_buf, start + length as usize)?;
        Ok(mapping.bytes()[start..].to_vec())
    };
    // An exported handle is found by whoever imports the same memory, until it is closed.
    let _nobody_imports = IMPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    let read = (0..planes).map(read).collect();
    for (place, handle) in handles.iter().enumerate() {
        if *handle != 0 && !handles[..place].contains(handle) {
            let _ = drm_ffi::gem::close(card.as_fd(), *handle);
        }
    }
    read
}

/// How many free buffers of one size are kept, and of all sizes so many times the largest one's memory.
const SPARE: usize = 8;

/// Dumb buffers that go round: those that are no longer shown are written anew.
pub struct Pool {
    card: Arc<Card>,
    spare: Mutex<Vec<Framebuffer>>,
}

/// A dumb buffer of a pool, to which it goes back.
pub struct Pooled {
    framebuffer: Option<Framebuffer>,
    pool: Weak<Pool>,
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let (Some(framebuffer), Some(pool)) = (self.framebuffer.take(), self.pool.upgrade()) {
            let mut spare = pool.lock();
            let like = |other: &&Framebuffer| {
                (other.layout.size, other.layout.format)
                    == (framebuffer.layout.size, framebuffer.layout.format)
            };
            if spare.iter().filter(like).count() >= SPARE {
                return;
            }
            spare.push(framebuffer);
            let bytes =
                |one: &Framebuffer| one.memory.as_ref().map_or(0, |memory| memory.bytes().len());
            while surplus(spare.iter().map(bytes)) {
                // The oldest is of a size that is not in use any more.
                spare.remove(0);
            }
        }
    }
}

/// Whether free buffers of these lengths are more than are kept.
fn surplus(lengths: impl Iterator<Item = usize> + Clone) -> bool {
    let largest = lengths.clone().max().unwrap_or(0);
    lengths.clone().count() > 4 * SPARE || lengths.sum::<usize>() > SPARE * largest
}

impl Pooled {
    /// The framebuffer.
    pub fn framebuffer(&self) -> Option<&Framebuffer> {
        self.framebuffer.as_ref()
    }

    /// Its layout, and its bytes for writing.
    pub fn bytes_mut(&mut self) -> Option<(Layout, &mut [u8])> {
        let framebuffer = self.framebuffer.as_mut()?;
        let layout = framebuffer.layout;
        Some((layout, framebuffer.memory.as_mut()?.bytes_mut()))
    }
}

impl Pool {
    /// A pool without buffers.
    pub fn new(card: Arc<Card>) -> Arc<Self> {
        Arc::new(Self {
            card,
            spare: Mutex::new(Vec::with_capacity(4 * SPARE + 1)),
        })
    }

    /// A new buffer. Where the card has no memory left, those of other sizes go first.
    fn made(&self, size: Size, format: u32) -> io::Result<Framebuffer> {
        Framebuffer::dumb(self.card.clone(), size, format).or_else(|err| {
            let spare = std::mem::take(&mut *self.lock());
            match spare.is_empty() {
                true => Err(err),
                false => {
                    drop(spare);
                    Framebuffer::dumb(self.card.clone(), size, format)
                }
            }
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Framebuffer>> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A buffer to be written; what is in it is old.
    pub fn take(self: &Arc<Self>, size: Size, format: u32) -> io::Result<Pooled> {
        let mut spare = self.lock();
        let found = spare
            .iter()
            .position(|one| (one.layout.size, one.layout.format) == (size, format));
        let found = found.map(|place| spare.remove(place));
        drop(spare);
        let framebuffer = match found {
            Some(framebuffer) => framebuffer,
            None => self.made(size, format)?,
        };
        Ok(Pooled {
            framebuffer: Some(framebuffer),
            pool: Arc::downgrade(self),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::surplus;

    #[test]
    fn spare_buffers_are_bounded_by_their_number_and_by_their_memory() {
        assert!(!surplus([].into_iter()));
        assert!(!surplus([8; 8].into_iter()));
        assert!(surplus([8; 9].into_iter()));
        assert!(surplus([8, 8, 8, 8, 8, 8, 8, 7, 2].into_iter()));
        assert!(!surplus([1; 8].into_iter()));
    }
}
