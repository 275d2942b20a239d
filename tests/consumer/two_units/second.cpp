#include "maquette/maquette.hpp"

const maquette::body_model* a_body();
const maquette::body_model* a_body() { return nullptr; }
