# Completion of machins. Load it with: machins completions fish | source
complete --keep-order --exclusive --command machins --arguments "(MACHINS_COMPLETE=fish machins -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token --cut-at-cursor))"
