"""What a fit of lme4 can be asked: a module a task, each a part of `LmerFit`."""
