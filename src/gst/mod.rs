//! gst.
