//! Where in an application the layer can stand.
