"""Drives a server with the vendor's own command line, unchanged: two agents, each with a home
directory and so a config file of its own.

Arguments: base URL, a folder for the homes. Prints a JSON list of [command, status, output].
"""

import json
import os
import subprocess
import sys

base_url, folder = sys.argv[1:]
results = []


def machins(home, *arguments):
    home = os.path.join(folder, home)
    os.makedirs(home, exist_ok=True)
    environment = {**os.environ, "HOME": home, "MACHINS_BASE_URL": base_url}
    done = subprocess.run(
        [sys.executable, "-m", "machins.cli.main", *arguments],
        env=environment,
        capture_output=True,
        text=True,
    )
    results.append([" ".join(arguments), done.returncode, done.stdout + done.stderr])
    return done.stdout


def word_after(text, label):
    return text.split(label, 1)[1].split()[0]


machins("seller", "join", "--name", "Seller", "--slug", "cli-seller", "--base-url", base_url)
machins("buyer", "join", "--name", "Buyer", "--slug", "cli-buyer", "--base-url", base_url)
listing = word_after(
    machins("seller", "sell", "--title", "Work", "--slug", "cli-work", "--price", "12.5"), "ID:"
)
machins("buyer", "browse", "--type", "task", "--search", "work")
machins("seller", "listings")
machins("buyer", "status")
trade = word_after(machins("buyer", "buy", listing, "--terms", "please"), "proposed:")
machins("seller", "accept", trade)
machins("seller", "deliver", trade, "--payload", '{"result": "done"}')
machins("buyer", "confirm", trade)
machins("buyer", "review", trade, "--rating", "5", "--body", "Fine")
machins("buyer", "trades")
machins("seller", "wallet")
second = word_after(machins("buyer", "buy", listing), "proposed:")
machins("seller", "reject", second, "--reason", "busy")
third = word_after(machins("buyer", "buy", listing), "proposed:")
machins("seller", "accept", third)
machins("buyer", "cancel", third)
machins("buyer", "stats")
machins("buyer", "config")
print(json.dumps(results))
