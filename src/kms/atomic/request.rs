//! One atomic commit's properties, in memory that is kept from one commit to the next.

use std::{io, os::fd::BorrowedFd};

/// The objects, their properties and values, as `DRM_IOCTL_MODE_ATOMIC` takes them. Once as large as it ever gets, it
/// allocates no more; the drm crate's own request would for every commit.
#[derive(Debug, Default)]
pub struct Request {
    objects: Vec<u32>,
    counts: Vec<u32>,
    properties: Vec<u32>,
    values: Vec<u64>,
}

impl Request {
    /// Room for as many properties as a head has.
    pub fn new() -> Self {
        Self {
            objects: Vec::with_capacity(16),
            counts: Vec::with_capacity(16),
            properties: Vec::with_capacity(128),
            values: Vec::with_capacity(128),
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.objects.clear();
        self.counts.clear();
        self.properties.clear();
        self.values.clear();
    }

    /// Sets a property of an object. All properties of one object must be set one after the other.
    pub fn set(&mut self, object: u32, property: u32, value: u64) {
        match (self.objects.last(), self.counts.last_mut()) {
            (Some(last), Some(count)) if *last == object => *count += 1,
            _ => {
                self.objects.push(object);
                self.counts.push(1);
            }
        }
        self.properties.push(property);
        self.values.push(value);
    }

    /// Sets a property that not every driver has.
    pub fn set_if(&mut self, object: u32, property: Option<u32>, value: u64) {
        if let Some(property) = property {
            self.set(object, property, value);
        }
    }

    /// Gives the request to the kernel; `flags` are `DRM_MODE_ATOMIC_*` and `DRM_MODE_PAGE_FLIP_EVENT`.
    pub fn commit(&mut self, card: BorrowedFd<'_>, flags: u32) -> io::Result<()> {
        drm_ffi::mode::atomic_commit(
            card,
            flags,
            &mut self.objects,
            &mut self.counts,
            &mut self.properties,
            &mut self.values,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_counted_by_object_and_the_memory_is_kept() {
        let mut request = Request::new();
        for _ in 0..3 {
            request.clear();
            request.set(7, 1, 10);
            request.set_if(7, Some(2), 20);
            request.set_if(7, None, 30);
            request.set(9, 1, 40);
        }
        assert_eq!(
            (&request.objects[..], &request.counts[..]),
            (&[7, 9][..], &[2, 1][..])
        );
        assert_eq!(request.values, [10, 20, 40]);
        assert_eq!(request.values.capacity(), 128);
    }
}
