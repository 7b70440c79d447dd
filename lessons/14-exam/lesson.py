# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 14 · The practice exam
#
# All questions of the course, in one place. Here you practise what you missed, sit a mock exam by the clock, and
# see what to study next.
#
# This lesson breaks nothing and has no lab. It is the one to come back to, each evening until the day.

# %% [markdown]
# ## 1 · Which exam?
#
# AWS writes an **exam guide** for each certification: its domains, their weights, and **task statements** that say
# what a candidate has to be able to do. Each question of this course names the task statements it serves.

# %%
from kmscourse.facts import exams

for guide in exams.current():
    print(f"{guide.code}  {guide.name}")
    print(
        f"         {guide.questions} questions, {guide.minutes} minutes, {guide.passing_score} to pass"
    )

# %% [markdown]
# Only part of each guide is about encryption and keys. That part is what this course asks:

# %%
for task in exams.get("SAA-C03").tasks:
    print(task.id, task.name)

# %% [markdown]
# ## 2 · Practise, with reasons at once
#
# Name an exam, a domain of it, or a lesson. You get ten questions, the easy ones first, and after each answer a
# reason for every option. The number keys choose, <kbd>Enter</kbd> checks.
#
# Most questions have a key *Prove it*. It plays the scenario on a simulated AWS of its own and shows, option by
# option, what was seen.

# %%
from kmscourse import exam

exam.practice(exam="SAA-C03")

# %% [markdown]
# Other ways to choose: `exam.practice(exam="SCS-C03", domain="5")`, `exam.practice(lesson="07")`.
#
# Answers are kept at once. After a reload, run the cell again: it goes on where you were.

# %% [markdown]
# ## 3 · Repeat what you missed
#
# Evening after evening the same ten questions teach little. **Spaced repetition** asks a thing again just before it
# would be forgotten. What you missed comes first, then what is due, then what is new.

# %%
exam.practice(weakness=True)

# %% [markdown]
# The days between are reckoned by FSRS, the method of the flashcard program Anki, from your answers alone.

# %% [markdown]
# ## 4 · Sit a mock exam
#
# Now by the clock, and without reasons until you hand in. This one is short; leave the number out for as many
# questions as the guide has.
#
# **Predict:** the time is nearly up and three questions are open. Leave them, or guess?

# %%
exam.mock("SAA-C03", 20)

# %% [markdown]
# | Key | What it does |
# |---|---|
# | <kbd>1</kbd> to <kbd>7</kbd> | Chooses an option; it is kept at once |
# | <kbd>N</kbd>, <kbd>P</kbd> | The next question, the previous one |
# | <kbd>F</kbd> | Flags a question for another look |
# | <kbd>R</kbd> | The review: what is open, what is flagged, and where you hand in |
# | <kbd>T</kbd> | Hides the time, or shows it |
#
# You may close it and go on tomorrow; the clock stands until then. In the exam room it never does.
#
# Now the answer to the prediction:

# %%
from kmscourse import facts

facts.get("EXM-03")

# %% [markdown]
# ## 5 · What the score says
#
# The result is a **scaled score**:

# %%
facts.get("EXM-01")

# %% [markdown]
# AWS does not publish how it scales. The number this course shows is a straight line from no question right to all
# of them right: our estimate, no more. And the real exam asks about all its domains, not about encryption alone.

# %%
facts.get("EXM-02")

# %% [markdown]
# ## 6 · What to study next
#
# The report has your exams over time, your answers by domain and by lesson, and the lessons to go back to. Until you
# have answered something it has little to say. `exam.review()` brings back the last mock exam with all its reasons.

# %%
exam.report()

# %% [markdown]
# ## 7 · Without a browser, and without a computer
#
# In a terminal (*File, New, Terminal*), with the same questions, answers and report:
#
# | You type | and |
# |---|---|
# | `course exam` | it asks what you would like |
# | `course exam --weak` | it asks what you missed and what is due |
# | `course exam --mock --exam SCS-C03` | a mock exam by the guide |
# | `course exam --mock --exam SCS-C03 --count 20 --seed thursday` | the same paper for everyone who types this |
# | `course exam --resume` | it goes on with what you began |
# | `course exam report` | how far you are |
#
# To take the questions along: a deck for Anki, or a page to print with the answers apart.

# %%
exam.export("anki")

# %%
exam.export("html")

# %% [markdown]
# ## On the exam, and today
#
# An exam lags behind AWS, and study notes lag behind the exam. Where AWS has changed, a question of this course says
# as of when, and what older material says.
#
# | Study notes say | Today |
# |---|---|
# | Prepare for SCS-C02 | It is retired; SCS-C03 follows it |
# | Customer managed keys rotate every year | The period can be chosen |
# | Imported key material cannot be rotated by AWS | It can be rotated on demand |
#
# Where these come from:

# %%
print(exams.get("SCS-C02").status)

# %%
facts.get("ROT-01")

# %%
facts.get("ROT-06")

# %% [markdown]
# ## Three weeks
#
# | Week | Evenings | What |
# |---|---|---|
# | First | A lesson and its lab | The lessons that your exam's tasks name; the questions at each end |
# | Second | Ten questions | `exam.practice(weakness=True)`, and the lessons the report sends you back to |
# | Third | A mock exam every other day | In between, read the reasons of what was missed, and prove them |
#
# The evening before: close the computer early.
