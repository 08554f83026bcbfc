"""Which words after a number are a unit. Two physical units must agree; counted things ("25 students") are left out."""

import re
from collections import Counter

_SPELLINGS = """
mm millimeter millimeters millimetre millimetres 毫米 | cm centimeter centimeters centimetre centimetres 厘米
| dm decimeter decimeters 分米 | m meter meters metre metres 米 | km kilometer kilometers kilometre kilometres 千米 公里
| in inch inches 英寸 | ft foot feet 英尺 | yd yard yards | mi mile miles 英里
| mg milligram milligrams 毫克 | g gram grams 克 | kg kilogram kilograms 千克 公斤 | ton tons tonne tonnes 吨
| lb lbs pound pounds | oz ounce ounces
| ml mL milliliter milliliters millilitre millilitres 毫升 | l L liter liters litre litres 升 | cl dl
| gal gallon gallons | qt quart quarts | pint pints | cup cups | tablespoon tablespoons | teaspoon teaspoons
| ms | s sec second seconds 秒 | min mins minute minutes 分钟 分 | h hr hrs hour hours 小时 时 | day days 天 日 
| week weeks 周 | month months 个月 月 | year years 年 | rpm | hz Hz | khz kHz | mhz MHz
| N newton newtons 牛 | J joule joules | kj kJ | W watt watts | kw kW | kwh kWh | V volt volts | ohm ohms
| A ampere amperes amps | pa Pa pascal pascals | kpa kPa | atm | K kelvin | mol mole moles | cal kcal calories | ev eV
| deg degree degrees 度 | rad radian radians | acre acres | ha hectare hectares | unit units 单位
| $ dollar dollars usd USD US | ¢ cent cents | € euro euros eur EUR | £ gbp GBP | ¥ yen yuan rmb RMB 元 日元 | ₹
rupee rupees Rs INR | CAD | AUD | CHF | ₩ won KRW | ₽ RUB rubles | peso pesos
| C celsius Celsius | F fahrenheit Fahrenheit | bit bits | byte bytes | kb KB | mb MB | gb GB
"""
UNITS = {word: group.split()[0] for group in _SPELLINGS.split("|") for word in group.split()}
_COUNTING = (
    "个 人 名 位 只 条 本 件 次 种 岁 张 支 棵 块 台 辆 座 间 页 题 组 队 头 匹 双 对 瓶 杯 袋 箱 根 枚 颗 朵 层 排 圈"
)
MONEY = {word for word, unit in UNITS.items() if unit in ("$", "€", "£", "¥", "₹", "CAD", "AUD", "CHF", "₩", "₽")}
COUNTERS = set(_COUNTING.split())
AREAS = {"square": 2, "sq": 2, "cubic": 3, "平方": 2, "立方": 3}
JOINTS = {"per", "/", "每"}
RATES = {"mph": {"mi": 1, "h": -1}, "kph": {"km": 1, "h": -1}, "kmh": {"km": 1, "h": -1}}
SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12, "万": 4, "亿": 8}  # powers of ten
PEOPLE = {"people", "children", "men", "women", "mice", "teeth", "geese", "fish", "sheep", "dice"}
# Words that a number is not simply followed by: what they say changes the value, or takes it back.
_CHANGING = """
tens hundreds thousands millions billions trillions dozens halves thirds quarters fourths fifths sixths sevenths eighths
ninths tenths hundredths thousandths times plus minus is was has does equals gives makes works yields divides exceeds
fails pis roots squares cubes less unless versus vs modulus us this its thus perhaps always as powers factors multiples
percents percentages logs sines negatives positives decimals digits figures places others alternatives options
remains leaves contradicts followers
"""
_CHANGING_CJK = set("不非多余左右约以上下内外半或和与至到倍分之加减乘除")
_LINKING = """
or and not but nor remainder rest more most than fewer greater smaller bigger larger per mod modulo choose squared cubed
factorial percent negative positive over to from out if then maybe either neither both except without only almost nearly
about around approximately at up down dozen hundred thousand million billion trillion half third quarter twice double
triple point the answer wrong right correct incorrect false true no none never likely possibly probably could might may
should would can cannot be been being are were will by into when while where because since also another e i pi x y z
root power to with an
"""
_AFTER = "old long tall high wide deep thick away apart left remaining total altogether each"
AFTER_UNIT = set(_AFTER.split())
LINKING = set(_LINKING.split()) | set(_CHANGING.split())


def unit_of(words: list[str]) -> str | None:
    r"""The unit that words, "/" and "^2" spell, in one writing; "" for counted things; None if neither.

    ["km", "/", "h"] and ["kph"] → "km/h"; ["square", "meters"] → "m^2"; ["five-dollar", "bills"] → ""; ["or"] → None.
    """
    if not words:
        return None
    words = [part for word in words for part in re.split("(每)", word) if part]
    if [word.casefold() for word in words] in (["percent"], ["per", "cent"], ["pct"]):
        return "%"
    if len(words) > 1 and words[0] == "US":
        words = words[1:]
    while len(words) > 1 and words[-1] in AFTER_UNIT:
        words = words[:-1]
    powers = _powers(words)
    return _counted(words) if powers is None else _written(powers)


def _powers(words: list[str]) -> Counter[str] | None:
    """m/s^2, m·s^-2 as {"m": 1, "s": -2}; None if a word is no unit. "/" is said of the unit that follows it."""
    powers: Counter[str] = Counter()
    sign, area, last = 1, 1, None  # of the next unit, and the one that an exponent would raise
    for word in words:
        if word in AREAS and area == 1:
            area = AREAS[word]
        elif word in JOINTS and powers and sign == area == 1:
            sign, last = -1, None
        elif word == "·" and powers:
            continue
        elif word.startswith("^") and last:
            name, below = last
            if not word[1:].lstrip("-").isdigit():
                return None
            powers[name] += below * (int(word[1:]) - 1)
            last = None
        elif parts := _parts(word):
            for name, power in parts.items():
                powers[name] += sign * area * power
            last = (next(iter(parts)), sign) if len(parts) == 1 and area == 1 else None
            sign = area = 1
        else:
            return None
    return powers if powers and sign == area == 1 else None


def _parts(word: str) -> dict[str, int] | None:
    """The powers of the units that one word names: km, mph, 平方米."""
    word = word if word in UNITS or word in RATES else word.casefold() if len(word) > 1 else word
    if word in RATES:
        return RATES[word]
    if word[:2] in AREAS and word[2:] in UNITS:
        return {UNITS[word[2:]]: AREAS[word[:2]]}
    return {UNITS[word]: 1} if word in UNITS else None


def _written(powers: Counter[str]) -> str:
    """{"m": 1, "s": -2} as m/s^2; degrees first."""
    order = sorted((name for name in powers if powers[name]), key=lambda name: (name != "deg", name))
    above = [name + (f"^{powers[name]}" if powers[name] > 1 else "") for name in order if powers[name] > 0]
    below = [name + (f"^{-powers[name]}" if powers[name] < -1 else "") for name in order if powers[name] < 0]
    return "·".join(above) + "".join(f"/{name}" for name in below)


def _counted(words: list[str]) -> str | None:
    if words in (["left"], ["remaining"], ["altogether"]):
        return ""
    if len(words) == 1 and words[0][0] in COUNTERS and len(words[0]) < 6:  # 个苹果
        return "" if _CHANGING_CJK.isdisjoint(words[0]) else None
    if len(words) > 4 or not all(word.replace("-", "").isalpha() and word.isascii() for word in words):
        return None
    if any(word in LINKING or not word.islower() for word in words):
        return None
    last = words[-1]
    return "" if len(last) > 3 and last.endswith("s") and not last.endswith("ss") or last in PEOPLE else None
