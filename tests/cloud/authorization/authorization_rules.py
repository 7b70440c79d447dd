"""The ids of the rules, and which of them this engine does not simulate.

The rules are our own summary of the AWS KMS Developer Guide, the IAM User Guide, the Organizations
User Guide and botocore's KMS model; the tests bear the ids. A mark says how sure a rule is:
S stated by the source, I inferred from stated rules, R recalled, REVIEW contradictory.
"""

MARKS: dict[str, str] = {
    **dict.fromkeys(["R1.1", "R1.2", "R1.3", "R1.4", "R1.5"], "S"),
    **dict.fromkeys([f"R2.{n}" for n in range(1, 16)], "S"),
    **dict.fromkeys([f"R3.{n}" for n in range(1, 12)], "S"),
    **dict.fromkeys([f"R4.{n}" for n in range(1, 10)], "S"),
    **dict.fromkeys([f"R5.{n}" for n in range(1, 10)], "S"),
    **dict.fromkeys([f"R6.{n}" for n in range(1, 6)], "S"),
    **dict.fromkeys([f"R7.{n}" for n in range(1, 4)], "S"),
    **dict.fromkeys([f"R8.{n}" for n in range(1, 7)], "S"),
    **dict.fromkeys([f"R9.{n}" for n in range(1, 13)], "S"),
    **dict.fromkeys([f"R11.{n}" for n in range(1, 12)], "S"),
    "R2.14": "I",
    "R3.7": "I",
    "R3.11": "R",
    "R4.6": "I",
    "R6.2": "I",
    "R8.6": "I",
    "R9.12": "REVIEW",
}

NOT_SIMULATED: dict[str, str] = {
    "R4.5": "Opt-in Regions: the simulated accounts have every Region enabled.",
    "R4.9": "Who writes it down is the trail, not the decision.",
    "R5.7": "When a grant becomes visible is the key service's: it passes the grants that count.",
    "R11.3": "Whether a recreated role is the same one is IAM's to say; here names are names.",
}

VECTORS = range(1, 25)
"""Numbers of the test vectors."""
