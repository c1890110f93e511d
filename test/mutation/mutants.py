# SPDX-License-Identifier: ISC
"""The mutants of the library: what they are, and the sources that have them all
(mutation.h). Found by the shape of the code, so that new files need nothing."""

import glob
import os
import re

# Calls of these, and which of their arguments are place, length, operations.
SYNCS = {
    "bus_dmamap_sync": (2, 3, 4), "pv_dma_sync": (2, 3, 4),
    "pv_dmamem_sync": (1, 2, 3), "virtq_sync": (1, 2, 3),
    "virtq_sync_ring": (1, 2, 3),
}
FIELDS = ("virtq_sync", "virtq_sync_ring")      # their place is a pointer
SYNC = re.compile(r"\b(bus_dmamap_sync|pv_dma_sync|pv_dmamem_sync|sync_\w+|"
                  r"virtq_sync(?:_ring)?|virtq_pieces_(?:pre|post))\s*\(")
BARRIER = re.compile(r"\b(pv_barrier_\w+|pv_md_\w+|bus_space_barrier|"
                     r"__asm__ volatile)\s*\(")
CONDITION = re.compile(r"\b(if|while|for|return)\b")
FUNCTION = re.compile(r"^(\w+)\(", re.M)
LEAVES = re.compile(r"\b(return|break|continue|goto)\b[^;]*;\s*\}?\s*$")
RELATION = re.compile(r"(?<![<>=!-])(<=|>=|<(?!<)|>(?!>))(?![<>=])")
OTHER = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
TURN = {"PREREAD": "PREWRITE", "PREWRITE": "PREREAD",
        "POSTREAD": "POSTWRITE", "POSTWRITE": "POSTREAD"}


class Mutant:
    """name is FILE:FUNCTION:KIND:TEXT, so that it lives on when lines move."""

    def __init__(self, number, path, line, function, kind, text):
        self.number, self.path, self.line = number, path, line
        self.kind, self.text = kind, " ".join(text.split())
        self.name = f"{path}:{function}:{kind}:{self.text}"


def blank(text):
    """The text without comments, strings and directives, at the same places."""
    def spaces(m):
        return re.sub(r"[^\n]", " ", m.group(0))
    text = re.sub(r"/\*.*?\*/|//[^\n]*", spaces, text, flags=re.S)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                  lambda m: "0" * len(m.group(0)), text)
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", spaces, text, flags=re.M)


def closing(code, at):
    """Where the bracket at this place is closed."""
    depth = 0
    for i in range(at, len(code)):
        depth += (code[i] in "([{") - (code[i] in ")]}")
        if depth == 0:
            return i
    raise ValueError(f"unbalanced: {code[at:at + 60]}")


def split(code, start, end, operator):
    """The runs of code[start:end] between an operator outside brackets."""
    runs, depth, at, i = [], 0, start, start
    while i < end:
        depth += (code[i] in "([{") - (code[i] in ")]}")
        if depth == 0 and code.startswith(operator, i):
            runs.append((at, i))
            i += len(operator)
            at = i
            continue
        i += 1
    return runs + [(at, end)]


def relation(code, start, end):
    """The one comparison of sizes outside brackets, or None."""
    flat = list(code[start:end])
    depth = 0
    for i, c in enumerate(flat):
        depth += c in "([{"
        if depth > 0:
            flat[i] = " "
        depth -= c in ")]}"
    found = list(RELATION.finditer("".join(flat).replace("->", "  ")
                                   .replace("<<", "  ").replace(">>", "  ")))
    return found[0] if len(found) == 1 else None


class Source:
    """One file: its text, and what is to be put in the place of what."""

    def __init__(self, path, numbers, names):
        with open(path, encoding="utf-8") as f:
            self.text = f.read()
        self.path, self.code = path, blank(self.text)
        self.numbers, self.names = numbers, names
        self.edits, self.mutants = [], []

    def mutant(self, at, kind, text):
        before = list(FUNCTION.finditer(self.code, 0, at + 1))
        function = before[-1].group(1) if before else "?"
        m = Mutant(next(self.numbers), self.path,
                   self.code.count("\n", 0, at) + 1, function, kind, text)
        n = self.names[m.name] = self.names.get(m.name, 0) + 1
        if n > 1:
            m.name += f"#{n}"
        self.mutants.append(m)
        return m.number

    def inside(self, at):
        """In a function's body."""
        head = self.code[:at]
        return head.count("{") > head.count("}")

    def is_statement(self, at):
        before = self.code[:at].rstrip()
        return before[-1:] in (";", "{", "}", ")", ":") or \
            re.search(r"\b(else|do)$", before) is not None

    # Conditions

    def condition(self, start, end):
        """code[start:end], each of its parts and comparisons mutable."""
        lead = len(self.code[start:end]) - len(self.code[start:end].lstrip())
        start += lead
        end -= len(self.code[start:end]) - len(self.code[start:end].rstrip())
        text = self.text[start:end]
        if self.code[start] == "(" and closing(self.code, start) == end - 1:
            return "(" + self.condition(start + 1, end - 1) + ")"
        if len(split(self.code, start, end, "?")) > 1:
            return text
        for operator, macro in (("||", "NEVER"), ("&&", "ALWAYS")):
            runs = split(self.code, start, end, operator)
            if len(runs) > 1:
                return f" {operator} ".join(
                    self.part(a, b, macro) for a, b in runs)
        found = relation(self.code, start, end)
        if found is None:
            return text
        left = self.text[start:start + found.start()].strip()
        right = self.text[start + found.end():end].strip()
        n = self.mutant(start, "edge", text)
        return (f"MUTATION_EDGE({n}, ({left}), {found.group(1)}, "
                f"{OTHER[found.group(1)]}, ({right}))")

    def part(self, start, end, macro):
        text = self.text[start:end].strip()
        n = self.mutant(start, "part", text)
        return f"MUTATION_{macro}({n}, ({self.condition(start, end)}))"

    def body(self, at):
        """The statement that begins here, without what is around it."""
        while self.code[at].isspace():
            at += 1
        if self.code[at] == "{":
            return self.code[at + 1:closing(self.code, at)]
        return self.code[at:self.code.index(";", at) + 1]

    def limits(self, start, end, body):
        """if (a > b) a = b: with a equal to b there is no difference."""
        m = re.fullmatch(r"\s*([^=;]+?)\s*=\s*([^;=]+?)\s*;\s*", body)
        found = relation(self.code, start, end)
        if m is None or found is None:
            return False
        squeeze = re.compile(r"\s+|\([a-z]\w* ?\w*\)")
        sides = {squeeze.sub("", s) for s in
                 (self.code[start:start + found.start()],
                  self.code[start + found.end():end])}
        return sides == {squeeze.sub("", m.group(1)),
                         squeeze.sub("", m.group(2))}

    def check(self, start, end):
        """An if that ends in leaving, that sets what it looked at, or that
        compares sizes."""
        text = self.code[start:end]
        if re.fullmatch(r"\s*error( != 0| == 0)?\s*", text):
            return
        body = self.body(end + 1)
        sets = re.fullmatch(r"\s*([^=;]+?)\s*=[^;]*;\s*", body)
        if not LEAVES.search(body) and not RELATION.search(
                text.replace("->", "  ")) and not (
                sets and sets.group(1) in text):
            return
        n = self.mutant(start, "check", self.text[start:end])
        new = self.text[start:end] if self.limits(start, end, body) else \
            self.condition(start, end)
        self.edits.append((start, end, f"MUTATION_NEVER({n}, ({new}))"))

    def loop(self, word, start, end):
        if word == "for":
            runs = split(self.code, start, end, ";")
            if len(runs) != 3:
                return
            start, end = runs[1]
        if "&&" in self.code[start:end]:
            self.edits.append((start, end, self.condition(start, end)))

    def value(self, start, end):
        """What is returned, if it is a condition."""
        if not self.code[start:end].strip() or \
                len(split(self.code, start, end, "?")) > 1:
            return
        new = self.condition(start, end)
        if new != self.text[start:end].strip():
            self.edits.append((start, end, " " + new))

    def choice(self, start, end):
        """C ? A : B where C compares sizes: each way, and the edge where A and
        B are not just the two sides."""
        runs = split(self.code, start, end, "?")
        if len(runs) != 2:
            return
        found = relation(self.code, *runs[0])
        if found is None or self.code[start:end].count("=") > 2:
            return
        a, b = runs[0]
        m = re.match(r"\s*(?:[\w>.\[\]-]+\s*=(?!=))?\s*", self.code[a:b])
        a += m.end()
        text = self.text[a:b].strip()
        ways = split(self.code, *runs[1], ":")
        found = relation(self.code, a, b)
        if len(ways) != 2 or found is None:
            return
        squeeze = re.compile(r"\s+|\([a-z][\w ]*\)")
        sides = {squeeze.sub("", self.code[x:y]) for x, y in
                 ((a, a + found.start()), (a + found.end(), b))}
        new = text if sides == {squeeze.sub("", self.code[x:y])
                                for x, y in ways} else self.condition(a, b)
        never = self.mutant(a, "never", text)
        always = self.mutant(a, "always", text)
        self.edits.append((a, b, f"MUTATION_NEVER({never}, "
                           f"MUTATION_ALWAYS({always}, ({new}))) "))

    def conditions(self):
        for m in CONDITION.finditer(self.code):
            word, at = m.group(1), m.end()
            if not self.inside(at):
                continue
            if word == "return":
                end = self.code.index(";", at)
                self.value(at, end)
                self.choice(at, end)
                continue
            start = self.code.index("(", at)
            end = closing(self.code, start)
            if word == "if":
                self.check(start + 1, end)
            else:
                self.loop(word, start + 1, end)
        for m in re.finditer(r"(?<=[;{}])\s*([\w>.-]+ = [^;{}]*\?[^;]*);",
                             self.code):
            if self.inside(m.start(1)):
                self.choice(m.start(1), m.end(1))

    # Calls

    def call(self, m):
        """Of a call that is a statement: its arguments, and where it ends."""
        start = m.end() - 1
        end = closing(self.code, start)
        if not self.inside(m.start()) or not self.is_statement(m.start()) or \
                not self.code[end + 1:].lstrip().startswith(";"):
            return None, None
        arguments = [self.text[a:b].strip() for a, b in
                     split(self.code, start + 1, end, ",")]
        return arguments, self.code.index(";", end) + 1

    def variants(self, start, end, variants):
        """The statement, or one of its variants (kind, statement)."""
        text = self.text[start:end]
        new = "{ "
        for kind, other in variants:
            n = self.mutant(start, kind, text if kind in ("sync", "barrier")
                            else " ".join(other.split()))
            new += f"if (mutation_here({n}, 1)) {{ {other} }} else "
        self.edits.append((start, end, new + text + " }"))

    def sync(self, m):
        arguments, end = self.call(m)
        if arguments is None:
            return
        name = m.group(1)
        variants = [("sync", "(void)0;")]

        def also(kind, i, new):
            changed = list(arguments)
            changed[i] = new
            variants.append((kind, f"{name}({', '.join(changed)});"))

        if name in SYNCS:
            place, length, ops = SYNCS[name]
            shift = "SHIFT_FIELD" if name in FIELDS else "SHIFT"
            also("shift", place, f"MUTATION_{shift}({arguments[place]})")
            also("short", length, f"MUTATION_SHORT({arguments[length]})")
            if ops is not None and "BUS_DMASYNC" in arguments[ops]:
                self.turns(arguments[ops], lambda new: also("turn", ops, new))
        self.variants(m.start(), end, variants)

    @staticmethod
    def turns(ops, also):
        """The other direction; of two, each alone."""
        names = ops.split("|")
        if len(names) > 1:
            for name in names:
                also(name.strip())
        else:
            also(re.sub("|".join(TURN), lambda t: TURN[t.group(0)], ops))

    def barrier(self, m):
        arguments, end = self.call(m)
        if arguments is None:
            return
        name = m.group(1)
        variants = [("barrier", "(void)0;")]
        if name.startswith(("pv_barrier", "pv_md")):
            variants.append(("weaker", "MUTATION_COMPILER_BARRIER();"))
            if arguments == ["outer"] or "outer" in arguments[0]:
                variants.append(("weaker", f"{name}(false);"))
        if name == "pv_md_mb":
            variants.append(("weaker", f"pv_md_wmb({arguments[0]});"))
            variants.append(("weaker", f"pv_md_rmb({arguments[0]});"))
        self.variants(m.start(), end, variants)

    def mutate(self):
        self.conditions()
        for m in SYNC.finditer(self.code):
            self.sync(m)
        for m in BARRIER.finditer(self.code):
            self.barrier(m)
        return self

    def written(self):
        """The file with all of them, each line where it was."""
        text = self.text
        for start, end, new in sorted(self.edits, reverse=True):
            lost = text.count("\n", start, end) - new.count("\n")
            if lost < 0:
                raise ValueError(f"{self.path}: lines were added")
            text = text[:start] + new + "\n" * lost + text[end:]
        return (f'#include "test/mutation/mutation.h"\n#line 1 '
                f'"{self.path}"\n{text}')


def find(top="."):
    """All sources of the library, with their mutants."""
    numbers, names = iter(range(1, 1 << 30)), {}
    paths = sorted(glob.glob("lib/*/*.[ch]", root_dir=top))
    return [Source(p, numbers, names).mutate() for p in paths]


def write(sources, place):
    """Write them out below place; what is the same stays untouched."""
    for source in sources:
        path = os.path.join(place, source.path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        new = source.written()
        if os.path.exists(path):
            with open(path, encoding="utf-8") as f:
                if f.read() == new:
                    continue
        with open(path, "w", encoding="utf-8") as f:
            f.write(new)
