"""The names and signs of mathematics that are read: signs of Unicode, LaTeX commands, words of plain text."""

SUPERSCRIPTS = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n", strict=True))
SUBSCRIPTS = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_SIGNS = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ",
    "÷": r"\div ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "⩽": r"\le ", "⩾": r"\ge ", "≠": r"\ne ",
    "°": r"\degree ",
    "º": r"\degree ", "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "±": r"\pm ", "∓": r"\mp ",
    "⁄": "/", "∕": "/", "≈": r"\approx ", "≡": r"\equiv ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}",
    "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "⟨": r"\langle ", "⟩": r"\rangle ", "〈": r"\langle ", "〉": r"\rangle ",
    "√": r"\sqrt ", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]", "′": "'", "’": "'", "″": "''", "∣": r"\mid ", "∶": ":",
    "⊥": r"\perp ", "∥": r"\parallel ", "∠": r"\angle ", "△": r"\triangle ", "⇒": r"\Rightarrow ", "→": r"\to ",
    "∨": r"\lor ", "∧": r"\land ",
    "∴": r"\therefore ",
    "或": r" \text{ or } ", "和": r" \text{ and } ", "且": r" \text{ and } ", "与": r" \text{ and } ", "、": ",",
    "。": ".",
    "∑": r"\sum ", "∏": r"\prod ", "∫": r"\int ", "…": r"\dots ", "⋯": r"\dots ", "\N{ZERO WIDTH SPACE}": "",
    "\ufeff": "",
    "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ", "∖": r"\setminus ",
}  # fmt: skip
_GREEK_NAMES = """
alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau upsilon phi
varphi chi psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega ell
"""
GREEK = set(_GREEK_NAMES.split())
_SIGNS_OF_GREEK = """
α alpha β beta γ gamma δ delta ε epsilon ζ zeta η eta θ theta ι iota κ kappa λ lambda μ mu ν nu ξ xi
ρ rho σ sigma τ tau υ upsilon φ phi χ chi
ψ psi ω omega Γ Gamma Δ Delta Θ Theta Λ Lambda Ξ Xi Σ Sigma Φ Phi Ψ Psi Ω Omega
"""
_PAIRED = _SIGNS_OF_GREEK.split()
_GREEK_SIGNS = dict(zip(_PAIRED[::2], _PAIRED[1::2], strict=True))
CHARACTERS = str.maketrans(
    _SIGNS | {sign: f"\\{name} " for sign, name in _GREEK_SIGNS.items()} | {"π": r"\pi ", "Π": r"\Pi "}
)
_LAYOUT_COMMANDS = """
left right displaystyle textstyle scriptstyle limits nolimits quad qquad , ; : ! > bf rm it sf tt boldmath big Big bigg
Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr large Large LARGE huge Huge small tiny normalsize middle checkmark
square
blacksquare qed nonumber notag thinspace enspace medspace hfill newline space em bfseries itshape hline
"""
LAYOUT = set(_LAYOUT_COMMANDS.split())
DROPPED = {
    "color",
    "tag",
    "label",
    "hspace",
    "vspace",
    "phantom",
    "hphantom",
    "vphantom",
    "kern",
}  # with their argument
SHOWN = {"underbrace", "boxed", "fbox", "underline", "emph", "ensuremath", "mathstrut", "hbox", "smash"}
TEXTS = {"text", "textbf", "textit", "textrm", "textsf", "texttt", "mbox", "textnormal", "textup", "textsc"}
FONTS = {
    "mathrm",
    "mathbf",
    "mathit",
    "mathsf",
    "mathtt",
    "boldsymbol",
    "bm",
    "pmb",
    "operatorname",
    "mathnormal",
    "mathord",
}
_FUNCTION_NAMES = """
sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan arccot log ln exp gcd lcm min max lim det
"""
FUNCTIONS = set(_FUNCTION_NAMES.split())
RENAMED = {"lg": "log", "asin": "arcsin", "acos": "arccos", "atan": "arctan", "tg": "tan", "ctg": "cot", "sen": "sin"}
RELATIONS = {
    "=": "=", "<": "<", ">": ">", "le": "<=", "leq": "<=", "leqslant": "<=", "leqq": "<=", "ge": ">=", "geq": ">=",
    "geqslant": ">=", "geqq": ">=", "lt": "<", "gt": ">", "ne": "!=", "neq": "!=", "approx": "~", "simeq": "~",
    "thickapprox": "~", "doteq": "~", "in": "in", "equiv": "==", "coloneqq": "=", "notin": "notin",
    "cong": "cong", "sim": "sim", "subset": "subset", "subseteq": "subseteq", "perp": "perp", "parallel": "parallel",
    "propto": "propto", "nmid": "nmid", "to": "to", "rightarrow": "to", "mapsto": "to",
}  # fmt: skip
LEADS = {"Rightarrow", "therefore", "implies", "Longrightarrow", "because", "iff"}  # an answer may start with them
BRACKETS = {"lbrace": "{", "rbrace": "}", "{": "{", "}": "}", "langle": "<", "rangle": ">", "lbrack": "[",
"rbrack": "]",
             "lfloor": "|_", "rfloor": "_|", "lceil": "|^", "rceil": "^|"}  # fmt: skip
SETS = {"cup": "cup", "bigcup": "cup", "cap": "cap", "bigcap": "cap", "setminus": "minus", "backslash": "minus"}
DOTS = {"dots", "ldots", "cdots", "ddots", "vdots", "dotsc", "dotsb"}
ACCENTS = {"overline", "bar", "vec", "hat", "widehat", "tilde", "overrightarrow", "widetilde", "dot"}
_ENVIRONMENT_NAMES = """
pmatrix bmatrix matrix vmatrix Bmatrix Vmatrix smallmatrix array cases aligned align gathered split align* rcases dcases
"""
ENVIRONMENTS = set(_ENVIRONMENT_NAMES.split())
_SHORT_WORDS = "is in to of if no as at by we be an it on so do yes the and not its dne cent deg"
WORDS = set(_SHORT_WORDS.split())
_SHORT_UNITS = "mm cm dm km mg kg lb oz ml mL dl cl ft yd mi hr kW kw Hz ms kN pm am sq cu"
UNITS_2 = set(_SHORT_UNITS.split())
PLAIN = {"pi": "pi", "Pi": "pi", "inf": "infty", "infty": "infty", "infinity": "infty", "oo": "infty"}
_REALS = """
all real numbers | all reals | all real x | real numbers | the real numbers | the set of real numbers
| the set of all real numbers | all real values | 全体实数 | 实数集
"""
ALL_REALS = {" ".join(way.split()) for way in _REALS.split("|")}
