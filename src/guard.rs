//! Guards: yes or no to a request before anything is sent anywhere.

pub mod bot;
