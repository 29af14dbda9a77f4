//! The box's way to its house: enrolment, the environment over WebSocket, media by ranged GET.
