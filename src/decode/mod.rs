//! RawFrame → Frame: JPEG and YUV to RGB.
