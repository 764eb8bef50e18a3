"""CT numbers of tissues and the texture inside them.

Ranges at 120 kVp without contrast follow the linear attenuation that ICRU Report 44 (1989) and
NIST's tables (Hubbell and Seltzer, NISTIR 5632) give for their compositions, with the spread
that is seen in patients (Prokop and Galanski, Spiral and Multislice CT of the Body, 2003, ch. 6).
Enhanced ranges are those of the late arterial (35 s) and the portal venous phase (70 s) after
some 100 ml of contrast medium (Bae, Radiology 2010; 256:32, doi:10.1148/radiol.10090908).
"""

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class Tissue:
    """One tissue.

    Attributes:
        plain: HU without contrast, from and to.
        arterial, portal: HU in those phases; None where it takes up none.
        texture: HU of spread in structure of about 1, 2.5, 7 and 30 mm.
        marbling: HU that fat between fibres and lobules takes off where it gathers.
    """

    plain: Range
    arterial: Range | None = None
    portal: Range | None = None
    texture: tuple[float, float, float, float] = (3, 2, 1, 1)
    marbling: float = 0.0


_SOFT = (4.5, 3, 1.5, 1)
_FLUID = (3, 1.5, 0.75, 0.5)
_BLOOD = (4, 2.5, 1, 1)
_SPONGY = (9, 15, 11, 9)

TISSUES: dict[str, Tissue] = {
    "skin": Tissue((10, 45), texture=(5, 4, 2, 2)),
    "fat": Tissue((-113, -98), texture=(4, 3.5, 2.5, 2)),
    "visceral fat": Tissue((-110, -88), texture=(4.25, 4.25, 4, 3)),
    "muscle": Tissue((46, 60), (52, 66), (56, 72), (4.75, 4, 3, 2), 15.0),
    "strand": Tissue((-45, 0), texture=(2.5, 2.5, 2.5, 1.5)),
    "cartilage": Tissue((85, 125), texture=(3.5, 4, 4, 2)),
    "disc": Tissue((75, 110), texture=(2.5, 2.5, 2, 1.5)),
    "cortex": Tissue((560, 900), texture=(25, 25, 20, 20)),
    "thin cortex": Tissue((300, 460), texture=(22.5, 22.5, 20, 15)),
    "marrow": Tissue((105, 215), (110, 220), (115, 225), _SPONGY),
    "yellow marrow": Tissue((-40, 60), texture=(12.5, 12.5, 7.5, 5)),
    "canal": Tissue((15, 38), (18, 42), (22, 44), _SOFT),
    "cord": Tissue((32, 46), texture=_SOFT),
    "lung": Tissue((-880, -790), (-860, -780), (-865, -780), (6, 8, 9, 11)),
    "air": Tissue((-1000, -985), texture=(1, 1, 0.5, 0.5)),
    "gas": Tissue((-990, -900), texture=(2, 2, 1, 1)),
    "vessel wall": Tissue((40, 60), texture=_SOFT),
    "artery": Tissue((36, 48), (260, 390), (135, 180), _BLOOD),
    "vein": Tissue((36, 48), (55, 140), (130, 175), _BLOOD),
    "portal vein": Tissue((36, 48), (70, 130), (155, 195), _BLOOD),
    "lung vessel": Tissue((36, 48), (180, 330), (110, 165), _BLOOD),
    "heart wall": Tissue((42, 54), (85, 125), (95, 125), (4, 3, 2, 2), 5.0),
    "left heart": Tissue((36, 46), (250, 380), (130, 175), _BLOOD),
    "right heart": Tissue((36, 46), (130, 330), (120, 165), _BLOOD),
    "lymph node": Tissue((35, 50), (50, 80), (70, 95), _SOFT),
    "oesophagus": Tissue((30, 45), (45, 70), (60, 85), _SOFT),
    "thyroid": Tissue((85, 125), (140, 210), (130, 190), _SOFT),
    "gland": Tissue((15, 45), (40, 75), (55, 90), (4, 4.5, 4, 2.5), 15.0),
    "breast gland": Tissue((5, 40), (15, 50), (20, 60), (4.5, 5.5, 6, 4), 25.0),
    "liver": Tissue((45, 66), (62, 84), (98, 125), (4.5, 3.5, 2, 1.5)),
    "lesion": Tissue((25, 42), (38, 110), (48, 85), (2.5, 3, 3, 2)),
    "cyst": Tissue((-2, 15), texture=_FLUID),
    "gallbladder": Tissue((2, 18), texture=_FLUID),
    "spleen": Tissue((42, 54), (85, 140), (110, 135), (4.5, 3.5, 2, 1.5)),
    "pancreas": Tissue((28, 44), (75, 110), (75, 100), (4, 4, 3.5, 2), 17.0),
    "adrenal": Tissue((10, 35), (40, 75), (50, 80), _SOFT),
    "kidney cortex": Tissue((28, 38), (150, 215), (165, 215), _SOFT),
    "kidney medulla": Tissue((26, 36), (60, 100), (130, 185), _SOFT),
    "urine": Tissue((-2, 14), texture=_FLUID),
    "bowel wall": Tissue((30, 46), (60, 95), (70, 105), (2.5, 2.5, 2, 1.5)),
    "bowel content": Tissue((8, 42), texture=(3, 3.5, 3, 2.5)),
    "stool": Tissue((0, 60), texture=(13, 19, 17, 7.5)),
    "oral contrast": Tissue((180, 420), texture=(4, 6, 7, 7.5)),
    "stomach content": Tissue((5, 40), texture=(3, 4, 4.5, 3)),
    "bladder wall": Tissue((28, 42), (40, 60), (50, 75), _SOFT),
    "prostate": Tissue((34, 46), (48, 70), (60, 90), (3, 3.5, 3, 2)),
    "uterus": Tissue((40, 55), (70, 115), (90, 130), (3, 3.5, 3, 2)),
    "tooth": Tissue((1400, 2300), texture=(30, 30, 20, 15)),
    "calcium": Tissue((420, 900), texture=(20, 20, 15, 10)),
    "table": Tissue((-620, -180), texture=(1.5, 1.5, 1, 1)),
    "foam": Tissue((-965, -900), texture=(1.5, 1.5, 1, 1)),
}
