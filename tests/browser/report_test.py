"""The report of a real sweep in headless Chromium, driven by Playwright: what a reader can do with it, what a checker of
accessibility (axe-core) says, and that nothing leaves the page. Screenshots stay in <build folder>/browser. Skipped by
name where there is no Chromium, no trainer, or the packages cannot be installed."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "fault"))

from harness import BIN, FaultTest, require_real_trainer  # noqa: E402
from pypi import interpreter_with  # noqa: E402

PACKAGES = ["playwright==1.65.2", "axe-core-python==0.1.0"]
IN_ENVIRONMENT = "MARQUEE_BROWSER_ENVIRONMENT"
CHROMIUM = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
PICTURES = BIN.parent / "browser"

SWEEP = """\
name: page
defaults: {samples: 40, steps: 6, batch: 8, prompt_length: 4, decode_steps: 4}
matrix:
  task: [drawn/dsprites_location, drawn/digits]
  shots: [1, 5]
  method: [prompt, none]
  seed: [0]
include:
  - {task: drawn/digits, shots: 1, method: prompt, seed: 1, prompt_length: 4}
  - {task: drawn/digits, shots: 1, method: prompt, seed: 0, prompt_length: 8}
"""

AXE = """(options) => axe.run(document, options).then((found) => found.violations.map((violation) => ({
  id: violation.id, help: violation.help, nodes: violation.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))})))"""
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}}


class ReportPage(FaultTest):
    """One sweep and one browser for all tests; each has a page of its own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if CHROMIUM is None:
            raise unittest.SkipTest("no chromium here: apt-get install chromium")
        from playwright.sync_api import sync_playwright
        cls.playwright = sync_playwright().start()
        cls.addClassCleanup(cls.playwright.stop)
        cls.browser = cls.playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        cls.addClassCleanup(cls.browser.close)
        PICTURES.mkdir(exist_ok=True)
        cls.results = None

    def setUp(self):
        super().setUp()
        require_real_trainer(self)
        if ReportPage.results is None:
            self.sweep_file.write_text(SWEEP)
            kept = PICTURES / "results"
            shutil.rmtree(kept, ignore_errors=True)
            self.assert_exit(0, self.sweep(out=kept, assets=self.assets, timeout=420,
                                           environment=self.environment(MARQUEE_TRAINER=self.trainer)))
            self.assert_exit(0, self.marquee("report", out=kept))
            ReportPage.results = kept
        self.problems, self.requests = [], []

    def page(self, **options):
        context = self.browser.new_context(viewport={"width": 1400, "height": 1000}, **options)
        self.addCleanup(context.close)
        page = context.new_page()
        page.on("console", lambda message: self.problems.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        self.address = (self.results / "report" / "index.html").as_uri()
        page.goto(self.address)
        return page

    def tearDown(self):
        self.assertEqual([], self.problems, "the console")
        left = [url for url in self.requests if url.split("#")[0] != self.address and not url.startswith("data:")]
        self.assertEqual([], left, "requests leave the page")
        super().tearDown()

    def picture(self, page, name, **options):
        page.screenshot(path=str(PICTURES / f"{name}.png"), **options)

    def test_sorts_by_value_both_ways_with_empty_cells_last(self):
        page = self.page()
        table = page.locator("section.task table.sortable").first
        header = table.locator("th", has_text="fid_mini")
        place = header.evaluate("(cell) => cell.cellIndex")

        def values():
            return table.locator(f"tbody tr td:nth-child({place + 1})").evaluate_all(
                "(cells) => cells.map((cell) => cell.dataset.v === '' ? null : Number(cell.dataset.v))")
        before = values()
        for direction, ordered in (("ascending", sorted), ("descending", lambda v: sorted(v, reverse=True))):
            header.locator("button").click()
            self.assertEqual(direction, header.get_attribute("aria-sort"))
            numbers = [value for value in values() if value is not None]
            self.assertEqual(ordered(numbers), numbers)
            self.assertEqual([None] * (len(before) - len(numbers)), values()[len(numbers):])
        self.assertNotEqual(before, values())
        # From the keyboard.
        table.locator("th", has_text="method").locator("button").focus()
        page.keyboard.press("Enter")
        self.assertEqual("ascending", table.locator("th", has_text="method").get_attribute("aria-sort"))

    def test_filters_rows_tasks_and_columns(self):
        page = self.page()
        rows = page.locator("[data-row]:visible")
        everything = rows.count()
        page.keyboard.press("/")
        page.keyboard.type("prompt 5")
        self.assertLess(rows.count(), everything)
        for text in rows.evaluate_all("(rows) => rows.map((row) => (row.dataset.text ?? row.textContent))"):
            self.assertIn("prompt", text)
            self.assertIn("5", text)
        self.assertRegex(page.locator("#shown").inner_text(), r"\d+ of \d+ rows")
        page.locator("#filter").fill("")
        self.assertEqual(everything, rows.count())
        page.locator("#choose-shots").select_option("1")
        page.locator("#choose-method").select_option("none")
        shown = set(page.locator("section.task tbody tr[data-row]:visible").evaluate_all(
            "(rows) => rows.map((row) => row.dataset.shots + ' ' + row.dataset.method)"))
        self.assertEqual({"1 none"}, shown)
        page.locator("#choose-task").select_option("drawn/digits")
        self.assertEqual(1, page.locator("section.task:visible").count())
        headers = page.locator(".metric:visible table.main thead tr:last-child th:visible").all_inner_texts()
        self.assertIn("drawn/digits", headers)
        self.assertNotIn("drawn/dsprites_location", headers)
        page.reload()  # what was chosen stays, also where a page loads itself again
        self.assertEqual(1, page.locator("section.task:visible").count())

    def test_shows_one_metric_at_a_time(self):
        page = self.page()
        self.assertEqual(["fid_mini"], page.locator(".metric:visible").evaluate_all("(parts) => parts.map((part) => part.dataset.metric)"))
        page.locator("#choose-metric").select_option("recall")
        self.assertEqual(["recall"], page.locator(".metric:visible").evaluate_all("(parts) => parts.map((part) => part.dataset.metric)"))

    def test_enlarges_pictures_and_plots(self):
        page = self.page()
        strip = page.locator(".strip img").first
        natural = strip.evaluate("(image) => image.naturalWidth")
        self.assertGreater(natural, 0, "the picture is decoded")
        for image in page.locator("img").all():
            self.assertGreater(image.evaluate("(image) => image.naturalWidth"), 0)
        strip.click()
        dialog = page.locator("#zoom")
        self.assertTrue(dialog.is_visible())
        self.assertGreater(page.locator("#zoom-picture img").evaluate("(image) => image.width"), natural)
        caption = page.locator("#zoom-caption").inner_text()
        self.picture(page, "zoom")
        page.keyboard.press("ArrowRight")
        self.assertNotEqual(caption, page.locator("#zoom-caption").inner_text())
        page.keyboard.press("ArrowLeft")
        self.assertEqual(caption, page.locator("#zoom-caption").inner_text())
        page.keyboard.press("Escape")
        self.assertFalse(dialog.is_visible())
        self.assertIn("Enlarge", page.evaluate("document.activeElement.getAttribute('aria-label')"))
        page.locator("figure.plot svg").first.click()
        self.assertEqual(1, page.locator("#zoom-picture svg").count())
        page.locator("#zoom-close").click()

    def test_says_how_each_number_was_made(self):
        page = self.page()
        self.assertEqual("14 runs", page.locator("#found").inner_text())
        page.locator("a[data-find]").first.click()
        self.assertEqual("1 run", page.locator("#found").inner_text())
        entry = page.locator("#runs details").first
        entry.locator("summary").click()
        keys = entry.locator("dt").all_inner_texts()
        for key in ("result_sha256", "ended", "configuration: task"):
            self.assertIn(key, keys)
        self.assertNotIn("host", keys)
        shown = page.locator("body").inner_text()
        self.assertFalse(re.search(rf"\b{re.escape(os.uname().nodename)}\b", shown), "a host's name")
        self.assertNotIn(str(self.results.parent), shown)
        page.locator("#find-run").fill("digits prompt \"seed 1\"")
        self.assertEqual("1 run", page.locator("#found").inner_text())

    def test_is_dark_or_light_as_wanted(self):
        page = self.page(color_scheme="dark")

        def brightness():
            return page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number).reduce((a, b) => a + b)")
        self.assertLess(brightness(), 150)
        self.picture(page, "dark", full_page=True)
        page.locator("#choose-theme").select_option("light")
        self.assertGreater(brightness(), 600)
        page = self.page(color_scheme="light")
        self.assertGreater(brightness(), 600)
        self.picture(page, "light", full_page=True)

    def test_passes_the_checks_of_axe(self):
        import axe_core_python
        script = next(pathlib.Path(axe_core_python.__file__).parent.rglob("axe.min.js")).read_text()
        for scheme in ("light", "dark"):
            for width in (1400, 420):
                with self.subTest(scheme=scheme, width=width):
                    # The page's own policy lets no other script in; here the checker must be.
                    page = self.page(color_scheme=scheme, bypass_csp=True)
                    page.set_viewport_size({"width": width, "height": 900})
                    page.evaluate(script)
                    page.locator("#runs summary").first.click()
                    self.assertEqual([], page.evaluate(AXE, RULES))
        self.picture(page, "narrow")

    def test_prints(self):
        page = self.page(color_scheme="dark")
        page.emulate_media(media="print")
        self.assertFalse(page.locator(".tools").is_visible())
        self.assertTrue(page.locator("table.main").first.is_visible())
        self.assertTrue(page.locator(".strip img").first.is_visible())
        page.pdf(path=str(PICTURES / "print.pdf"), landscape=True, format="A4", print_background=True)
        self.assertGreater((PICTURES / "print.pdf").stat().st_size, 20_000)
        self.picture(page, "print")

    def test_reads_without_scripts(self):
        page = self.page(java_script_enabled=False)
        self.assertFalse(page.locator(".tools").is_visible())
        self.assertGreater(page.locator("table.main:visible").count(), 3, "every metric's table")
        self.assertTrue(page.locator("noscript").first.is_visible())

    def test_is_written_anew_while_a_sweep_runs(self):
        self.sweep_file.write_text("name: live\noracles: false\ndefaults: {samples: 8}\nmatrix:\n"
                                   "  task: [drawn/digits]\n  shots: [5]\n  method: [prompt]\n"
                                   f"  seed: {list(range(24))}\nsimulate: {{seconds: 1, steps: 2}}\n")
        sweep = self.start_sweep("--simulate")
        self.wait_for(lambda: (self.out / "results.sqlite").exists() and self.rows("SELECT 1 FROM coordinators"), "a coordinator")
        watch = subprocess.Popen([str(BIN / "marquee"), "report", "--out", str(self.out), "--watch", "1"],
                                 stdout=subprocess.PIPE, text=True, env=self.environment())
        self.addCleanup(watch.kill)
        file = self.out / "report" / "index.html"
        self.wait_for(file.exists, "a first page")
        ReportPage.results, kept = self.out, ReportPage.results
        try:
            page = self.page()
        finally:
            ReportPage.results = kept
        self.assertTrue(page.locator("strong.live").is_visible())
        first = page.locator("header p").inner_text()
        page.wait_for_function("(before) => document.querySelector('header p').innerText !== before", arg=first, timeout=30_000)
        page.locator("#pause").check()
        self.assertEqual(0, sweep.wait(timeout=90))
        self.assertEqual(0, watch.wait(timeout=60), "the watch ends with the sweep")
        page.reload()
        self.assertEqual(0, page.locator("strong.live").count())
        self.assertIn("24 done", page.locator("header p").inner_text())
        self.assertIn("index.html", watch.stdout.read())


if __name__ == "__main__":
    if IN_ENVIRONMENT not in os.environ:
        try:
            interpreter = interpreter_with(PACKAGES) if CHROMIUM else None
        except unittest.SkipTest as reason:
            print(f"skipped: {reason}")
            sys.exit(77)
        if interpreter is None:
            print("skipped: no chromium here (apt-get install chromium)")
            sys.exit(77)
        os.execve(str(interpreter), [str(interpreter), *sys.argv], {**os.environ, IN_ENVIRONMENT: "1"})
    unittest.main()
