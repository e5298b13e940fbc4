"""The same pictures as `nn` gives, sooner: label contexts, tables of gamma and beta, packed convolutions."""
