//! ISO base media files (ISO/IEC 14496-12): the reading side. Under construction by its own change.
