#include "maquette/maquette.hpp"

const maquette::body_model* a_body();

int main() { return a_body() == nullptr ? 0 : 1; }
