"""Everything that a student reads: one table, Russian first, the same keys in English."""

from __future__ import annotations

import os

__all__ = ["TEXTS", "text"]

TEXTS: dict[str, dict[str, str]] = {
    "ru": {
        "cli.box": "{given!r}: нужны четыре числа в пикселях через запятую, X0,Y0,X1,Y1, например 10,10,200,150",
        "cli.interrupted": "остановлено с клавиатуры",
        "cli.no_prompts": (
            "Подсказки понимает только вариант 4 (SAM), а не {variant}: уберите --point, --background-point и --box "
            "или укажите segment 4."
        ),
        "cli.point": "{given!r}: нужны два числа в пикселях через запятую, X,Y, например 200,110",
        "comparison.agreement": "согласие",
        "comparison.found_on": "{found} из {photos}",
        "comparison.megabytes": "веса, МБ",
        "comparison.model": "модель",
        "comparison.nowhere": "Ни одна модель не нашла класс «{label}» на фото: {names}.",
        "comparison.seconds": "с на фото",
        "comparison.target": "Класса {given!r} нет. Есть: {valid}.",
        "dataset.empty": "В {path} нет ни одного имени; нужно по имени фото в строке, без .jpg.",
        "dataset.labels": (
            "{path}: номера классов {found} не из набора; "
            "нужен одноканальный PNG с номерами от 0 до {last} и 255 (не размечено)."
        ),
        "dataset.layout": "Нет {path}. В наборе данных есть images/, semantic/ и список имён, например train.txt.",
        "dataset.no_instances": (
            "В {path} не описано ни одного объекта. Для вариантов 4 и 6 нужны instances.csv и instances/ИМЯ.png."
        ),
        "dataset.photo": "В {split} есть имя {name}, но нет файла {path}; уберите имя или добавьте фото.",
        "dataset.size": "{name}: фото {photo}, разметка {labels}, а размеры должны совпадать: semantic/{name}.png.",
        "figures.answer": "ответ {number}: {score}",
        "figures.background_point": "точка фона",
        "figures.box": "рамка",
        "figures.confidence": "увер.",
        "figures.contour": "контур",
        "figures.found": "найдено",
        "figures.mask": "маска",
        "figures.more": "… и ещё {count}",
        "figures.no_prompts": "Результат получен без подсказки; его покажет labkit.figures.display_figures([result]).",
        "figures.no_results": "Показывать нечего: нет ни одного результата.",
        "figures.nothing": "ничего не найдено",
        "figures.object": "объект",
        "figures.object_point": "точка объекта",
        "figures.overlay": "наложение",
        "figures.photo": "фото",
        "figures.share": "площадь",
        "language": "ru",
        "model.choice": "{name} = {given!r}: можно {valid}.",
        "model.device": (
            'Устройства {given!r} здесь нет. Есть auto и cpu, при видеокарте NVIDIA ещё cuda; попробуйте device="auto".'
        ),
        "model.failed": "{name}: не обработано: {reason}",
        "model.progress": "Сегментация",
        "model.range": "{name} = {given!r}: нужно число от {low} до {high}, обычно {value}.",
        "model.setting": "Нет такой настройки: {given}. У этой модели есть: {valid}.",
        "photos.bad_pixels": (
            "Пиксели фото «{name}»: {got}. Нужен массив numpy формы (высота, ширина, 3), uint8, RGB от 0 до "
            "255, хотя бы 1×1; серое превратит в RGB np.stack([x] * 3, axis=-1), доли от 0 до 1 — (x * "
            "255).astype(np.uint8)."
        ),
        "photos.bad_reference": "эталонная маска не прочитана: {error}",
        "photos.bad_size": "{name} = {given!r}: нужно целое число не меньше 1, например {default}.",
        "photos.bad_source": (
            "load_photos получила {given}. Подходят путь к папке, к файлу или к zip-архиву либо их список, "
            'например load_photos("data/images"); массив numpy превратит в фото Photo.from_pixels(имя, '
            "пиксели)."
        ),
        "photos.bad_zip": "zip-архив не открывается ({error}); соберите его заново",
        "photos.broken_link": "битая ссылка: файла, на который она указывает, нет",
        "photos.damaged": "файл повреждён или записан необычно ({error})",
        "photos.duplicate": "то же содержимое, что у «{other}»",
        "photos.empty": "пустой файл (0 байт)",
        "photos.folder": "это папка с именем файла; переименуйте её или передайте отдельно",
        "photos.found_nothing": "Файлов с фото там нет.",
        "photos.frames": "в файле несколько кадров или страниц: взят первый",
        "photos.heif": (
            "для HEIC/HEIF/AVIF нужен ещё один пакет: pip install pillow-heif; либо сохраните фото как JPEG"
        ),
        "photos.loaded": "Загружено {count} фото",
        "photos.mask": "это маска, а не фото: она читается вместе со своим фото",
        "photos.missing": "такого файла или папки нет",
        "photos.more": "… и ещё {count}",
        "photos.nested_zip": "архив внутри папки или архива не раскрывается: передайте его отдельно",
        "photos.no_permission": "нет прав на чтение",
        "photos.not_file": "это не обычный файл",
        "photos.not_image": "не похоже на изображение известного формата (или повреждено самое начало файла)",
        "photos.nothing": (
            "Не загружено ни одного фото. Дано: {given}.\n{found}\nПодходят папка, файл, zip-архив или их "
            "список; форматы: JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC, AVIF.\nПроверьте путь или положите туда "
            "хотя бы одно фото (например, .jpg) и запустите снова."
        ),
        "photos.scaled": "уменьшено с {width}×{height} до {new_width}×{new_height} пикселей",
        "photos.skipped": "Пропущено файлов: {count}",
        "photos.too_large": (
            "{width}×{height} — это {megapixels} Мпикс, больше предела в {limit}; уменьшите фото в редакторе"
        ),
        "photos.truncated": "файл обрывается на середине; скопируйте или скачайте его заново",
        "photos.url": "это адрес в интернете: скачайте фото и передайте путь к файлу",
        "photos.zip_encrypted": "файл в архиве под паролем; соберите архив без пароля",
        "photos.zip_member_size": "файл в архиве больше предела в {limit} МБ",
        "photos.zip_members": "в архиве {count} файлов, больше предела в {limit}; разделите его на части",
        "photos.zip_ratio": "файл сжат подозрительно сильно (в {ratio} раз), он не раскрыт",
        "photos.zip_total": "фото в архиве больше предела в {limit} МБ; разделите его на части",
        "prompt.both": "Даны и mask, и polygon; контур сам становится маской — оставьте что-то одно.",
        "prompt.box": (
            "Рамка {given} пуста: нужны x0 < x1 и y0 < y1 внутри фото {width}×{height}, например (10, 10, 100, 100)."
        ),
        "prompt.kept": "Файл подсказок {path} повреждён ({error}). Исправьте, удалите или переименуйте его.",
        "prompt.label_value": "Метка точки {given!r}: нужна 1 (точка на объекте) или 0 (точка на фоне).",
        "prompt.labels": "Точек {points}, а меток {labels}: нужна одна метка на точку, 1 — объект, 0 — фон.",
        "prompt.mask": "Маска формы {given}, а фото {valid}: маска нужна того же размера, что и фото.",
        "prompt.mask_empty": "В маске нет ни одного пикселя; отметьте в ней объект или задайте точку или рамку.",
        "prompt.model": "labkit.prompt работает с SAM (вариант 4), а дана модель {given}: labkit.load_model(4).",
        "prompt.no_photo": "Сначала выберите фото: model.set_photo(photo), затем model.prompt(points=[(x, y)]).",
        "prompt.none": "Подсказок пока нет: щёлкните по объекту в открытой тетради.",
        "prompt.nothing": "Подсказки нет. Задайте points=[(x, y)], box=(x0, y0, x1, y1), polygon=[…] или mask.",
        "prompt.only_background": "Все точки — на фоне; добавьте рамку или хотя бы одну точку с меткой 1 на объекте.",
        "prompt.outside": (
            "Точка ({x}, {y}) вне фото {width}×{height}: x считается от левого края, y — от верхнего, в пикселях."
        ),
        "prompt.polygon": "В контуре точек: {count}, а нужно не меньше трёх: polygon=[(x, y), (x, y), (x, y)].",
        "prompt.polygon_empty": "Внутри контура нет ни одного пикселя фото {width}×{height}; обведите объект.",
        "prompt.shape": "Не понимаю подсказку {given}: нужно {shape}, числа в пикселях.",
        "report.device": "Устройство",
        "report.group": "Группа",
        "report.heading": "Вариант",
        "report.hide_code": "Скрыть код",
        "report.no_notebook": (
            "Тетрадь {name} не найдена: запустите команду в папке набора (там, где лежит notebooks/)."
        ),
        "report.photos": "Фото и их sha256",
        "report.settings": "Настройки",
        "report.sha256": "sha256 весов",
        "report.show_code": "Показать код",
        "report.stopped": "ячейка с кодом № {cell}: {reason}",
        "report.student": "Студент",
        "report.unfinished": "Выполнение остановилось:",
        "report.variant": "Вариант",
        "report.versions": "Версии",
        "report.weights": "Веса",
        "setting.cross_nms_threshold": "Порог NMS между классами",
        "setting.finest": "FCN-8s, 16s или 32s",
        "setting.mask_threshold": "Порог маски",
        "setting.max_detections": "Не больше объектов",
        "setting.nms_threshold": "Порог NMS",
        "setting.points_per_side": "Точек на сторону",
        "setting.score_threshold": "Порог оценки",
        "setting.stability_threshold": "Порог устойчивости",
        "setting.working_side": "Рабочий размер, пикс.",
        "train.one": "Вместе обучаются только 1, 2, 3 и 5 (общий кодировщик); 4 и 6 — по одной: labkit train 6.",
        "train.one_from_embedded": (
            "От встроенных весов дообучается одна модель за раз; несколько вместе начинают с ImageNet: --start "
            "imagenet."
        ),
        "variant.unknown": "Нет варианта {given!r}. Есть: {valid}.",
        "viewer.answer": "ответ {number}: {score}",
        "viewer.answers": "Ответы на подсказку",
        "viewer.background": "фон",
        "viewer.busy": "Модель считает…",
        "viewer.by_class": "по классам",
        "viewer.by_object": "по объектам",
        "viewer.choose": "Фото",
        "viewer.clear": "Очистить",
        "viewer.color_by": "Цвета",
        "viewer.curtain": "Шторка",
        "viewer.curtain_hint": "потяните границу или ползунок",
        "viewer.hint_box": "Протяните рамку вокруг объекта",
        "viewer.hint_contour": "Обведите объект, не отпуская кнопку",
        "viewer.hint_point": "Щелчок — точка объекта; правая кнопка или Shift — точка фона",
        "viewer.language_name": "Русский",
        "viewer.left": "Слева",
        "viewer.legend": "Что найдено",
        "viewer.mask": "маска",
        "viewer.next": "Следующее фото",
        "viewer.none": "Показывать нечего: нет ни одного результата.",
        "viewer.nothing": "ничего не найдено",
        "viewer.opacity": "Непрозрачность",
        "viewer.outline": "Контур",
        "viewer.overlay": "наложение",
        "viewer.photo": "фото",
        "viewer.photos": "Фото набора",
        "viewer.pixels": "{value} пикс.",
        "viewer.previous": "Предыдущее фото",
        "viewer.right": "Справа",
        "viewer.side": "Рядом",
        "viewer.split": "Граница",
        "viewer.static": "Здесь будет просмотр с ползунками; если его нет, выполните ячейку.",
        "viewer.threshold": "Порог уверенности",
        "viewer.tool_box": "Рамка",
        "viewer.tool_contour": "Контур",
        "viewer.tool_point": "Точка",
        "viewer.tools": "Подсказки",
        "viewer.undo": "Отменить",
        "viewer.viewer": "Просмотр сегментации",
        "viewer.whole": "Всё фото",
        "viewer.zoom_hint": "Ctrl + колесо мыши; двойной щелчок; клавиши + − 0",
        "viewer.zoom_in": "Крупнее",
        "viewer.zoom_out": "Мельче",
        "weights.auto_reason": "выбраны автоматически: они всегда под рукой и не требуют сети",
        "weights.broken": (
            'Файл весов {path} повреждён или не подходит ({error}). Возьмите его заново или укажите weights="embedded".'
        ),
        "weights.embedded_reason": "так указано",
        "weights.file_reason": "указан файл",
        "weights.foreign": (
            "{path} — не файл весов labkit. Подходит .safetensors, который записала команда labkit train; либо "
            'weights="embedded".'
        ),
        "weights.hash": (
            "Встроенный файл {path} изменён: ожидался sha256 {expected}, а у него {got}. Установите labkit заново."
        ),
        "weights.missing": "Файла весов {path} нет. Укажите embedded, auto или путь к файлу .safetensors.",
        "weights.no_official": (
            "Официальных весов для {variant} в этой версии каталога ещё нет. Укажите embedded или файл .safetensors."
        ),
        "weights.no_release": "У варианта {variant} нет официальных весов {given}. Есть: {valid}.",
        "weights.not_embedded": "Для {variant} встроенных весов в этой версии ещё нет. Готовы: {ready}.",
        "weights.other_variant": (
            '{path} — веса модели {found}, а нужна {variant}. Укажите файл этой модели или weights="embedded".'
        ),
        "weights.taken": "Веса: {name} ({reason})",
    },
    "en": {
        "cli.box": "{given!r}: four numbers in pixels with commas are needed, X0,Y0,X1,Y1, for instance 10,10,200,150",
        "cli.interrupted": "stopped from the keyboard",
        "cli.no_prompts": (
            "Only variant 4 (SAM) takes prompts, {variant} does not: leave out --point, --background-point and --box, "
            "or say segment 4."
        ),
        "cli.point": "{given!r}: two numbers in pixels with a comma are needed, X,Y, for instance 200,110",
        "comparison.agreement": "agreement",
        "comparison.found_on": "{found} of {photos}",
        "comparison.megabytes": "weights, MB",
        "comparison.model": "model",
        "comparison.nowhere": "No model found the class {label!r} on the photos: {names}.",
        "comparison.seconds": "s a photo",
        "comparison.target": "There is no class {given!r}. Valid: {valid}.",
        "dataset.empty": "{path} lists no photo; it should hold one name a line, without .jpg.",
        "dataset.labels": (
            "{path}: the label ids {found} are none of the set; "
            "valid is a one-channel PNG of 0 to {last} and 255 (not labelled)."
        ),
        "dataset.layout": "{path} is missing. A dataset has images/, semantic/ and a list of names such as train.txt.",
        "dataset.no_instances": (
            "{path} describes no object. Variants 4 and 6 need instances.csv and instances/NAME.png."
        ),
        "dataset.photo": "{split} names {name}, but there is no {path}; take the name out or add the photo.",
        "dataset.size": "{name}: the photo is {photo}, its labels {labels}; they must agree: mend semantic/{name}.png.",
        "figures.answer": "answer {number}: {score}",
        "figures.background_point": "background point",
        "figures.box": "box",
        "figures.confidence": "conf.",
        "figures.contour": "contour",
        "figures.found": "found",
        "figures.mask": "mask",
        "figures.more": "… and {count} more",
        "figures.no_prompts": "No prompt asked for this result: show it with labkit.figures.display_figures([result]).",
        "figures.no_results": "Nothing to show: there is no result.",
        "figures.nothing": "nothing found",
        "figures.object": "object",
        "figures.object_point": "object point",
        "figures.overlay": "overlay",
        "figures.photo": "photo",
        "figures.share": "area",
        "language": "en",
        "model.choice": "{name} = {given!r}: valid are {valid}.",
        "model.device": (
            'There is no device {given!r} here. Valid are auto and cpu, and cuda with an NVIDIA GPU; try device="auto".'
        ),
        "model.failed": "{name}: not done: {reason}",
        "model.progress": "Segmenting",
        "model.range": "{name} = {given!r}: it must be a number from {low} to {high}, usually {value}.",
        "model.setting": "No such setting: {given}. This model has: {valid}.",
        "photos.bad_pixels": (
            "The pixels of the photo {name!r}: {got}. They must be a numpy array of shape (height, width, 3), "
            "uint8, RGB in 0 to 255, at least 1×1; np.stack([x] * 3, axis=-1) makes RGB of grey, (x * "
            "255).astype(np.uint8) of 0 to 1."
        ),
        "photos.bad_reference": "its reference mask could not be read: {error}",
        "photos.bad_size": "{name} = {given!r}: it must be a whole number of at least 1, for example {default}.",
        "photos.bad_source": (
            "load_photos was given {given}. It takes the path of a folder, a file or a zip, or a list of "
            'these, for example load_photos("data/images"); Photo.from_pixels(name, pixels) makes a photo of a '
            "numpy array."
        ),
        "photos.bad_zip": "the zip does not open ({error}); make it again",
        "photos.broken_link": "a broken link: the file that it points to is not there",
        "photos.damaged": "the file is damaged or written in an unusual way ({error})",
        "photos.duplicate": "has the same content as {other!r}",
        "photos.empty": "an empty file (0 bytes)",
        "photos.folder": "a folder named like a file; rename it or pass it by itself",
        "photos.found_nothing": "There are no photo files there.",
        "photos.frames": "several frames or pages in the file: the first was taken",
        "photos.heif": ("HEIC/HEIF/AVIF needs one more package: pip install pillow-heif; or save the photo as JPEG"),
        "photos.loaded": "Photos loaded: {count}",
        "photos.mask": "a mask, not a photo: it is read together with its photo",
        "photos.missing": "there is no such file or folder",
        "photos.more": "… and {count} more",
        "photos.nested_zip": "a zip inside a folder or a zip is not opened: pass it by itself",
        "photos.no_permission": "no permission to read it",
        "photos.not_file": "not a regular file",
        "photos.not_image": "not an image of a known format (or damaged at its very start)",
        "photos.nothing": (
            "No photo was loaded. Given: {given}.\n{found}\nValid are a folder, a file, a zip or a list of "
            "these; formats: JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC, AVIF.\nCheck the path, or put at least one "
            "photo (a .jpg, say) there, and run this again."
        ),
        "photos.scaled": "scaled down from {width}×{height} to {new_width}×{new_height} pixels",
        "photos.skipped": "Files skipped: {count}",
        "photos.too_large": (
            "{width}×{height} is {megapixels} megapixels, above the limit of {limit}; make the photo smaller "
            "in an editor"
        ),
        "photos.truncated": "the file ends in the middle; copy or download it again",
        "photos.url": "an internet address: download the photo and pass the path of the file",
        "photos.zip_encrypted": "this file in the zip has a password; make the zip without one",
        "photos.zip_member_size": "this file in the zip is above the limit of {limit} MB",
        "photos.zip_members": "the zip holds {count} files, above the limit of {limit}; split it",
        "photos.zip_ratio": "compressed suspiciously well ({ratio} times), so it was not opened",
        "photos.zip_total": "the photos in the zip are above the limit of {limit} MB; split it",
        "prompt.both": "Both mask and polygon are given; a polygon becomes a mask itself: leave one of them.",
        "prompt.box": (
            "The box {given} is empty: x0 < x1 and y0 < y1 are needed within the photo of {width}x{height}, "
            "for instance (10, 10, 100, 100)."
        ),
        "prompt.kept": "The prompts file {path} is damaged ({error}). Mend, delete or rename it.",
        "prompt.label_value": "A point's label is {given!r}; it must be 1 (in the object) or 0 (in the background).",
        "prompt.labels": "{points} points have {labels} labels; one each: 1 for the object, 0 for the background.",
        "prompt.mask": "The mask is {given}, the photo {valid}: a mask of the photo's size is needed.",
        "prompt.mask_empty": "The mask has no pixel; mark the object in it, or give a point or a box.",
        "prompt.model": "labkit.prompt works with SAM (variant 4), and {given} was given: labkit.load_model(4).",
        "prompt.no_photo": "Choose a photo first: model.set_photo(photo), then model.prompt(points=[(x, y)]).",
        "prompt.none": "There are no prompts yet: click on the object in the open notebook.",
        "prompt.nothing": "There is no prompt. Give points=[(x, y)], box=(x0, y0, x1, y1), polygon=[...] or mask.",
        "prompt.only_background": (
            "All points mark the background; add at least one with the label 1 on the object, or a box."
        ),
        "prompt.outside": (
            "The point ({x}, {y}) is outside the photo of {width}x{height}: x counts from the left, y from the top, "
            "in pixels."
        ),
        "prompt.polygon": "The contour has {count} points; three are needed: polygon=[(x, y), (x, y), (x, y)].",
        "prompt.polygon_empty": "No pixel of the {width}x{height} photo is inside the contour; go around the object.",
        "prompt.shape": "The prompt {given} is not understood: {shape} is needed, numbers in pixels.",
        "report.device": "Device",
        "report.group": "Group",
        "report.heading": "Variant",
        "report.hide_code": "Hide code",
        "report.no_notebook": (
            "The notebook {name} was not found: run this in the kit's folder (where notebooks/ is)."
        ),
        "report.photos": "Photos and their sha256",
        "report.settings": "Settings",
        "report.sha256": "sha256 of the weights",
        "report.show_code": "Show code",
        "report.stopped": "code cell {cell}: {reason}",
        "report.student": "Student",
        "report.unfinished": "The run stopped:",
        "report.variant": "Variant",
        "report.versions": "Versions",
        "report.weights": "Weights",
        "setting.cross_nms_threshold": "NMS threshold across classes",
        "setting.finest": "FCN-8s, 16s or 32s",
        "setting.mask_threshold": "Mask threshold",
        "setting.max_detections": "Most objects",
        "setting.nms_threshold": "NMS threshold",
        "setting.points_per_side": "Points a side",
        "setting.score_threshold": "Score threshold",
        "setting.stability_threshold": "Stability threshold",
        "setting.working_side": "Working size, px",
        "train.one": "Only 1, 2, 3 and 5 train together (on one encoder); 4 and 6 one at a time: labkit train 6.",
        "train.one_from_embedded": (
            "One model at a time is fine-tuned from embedded weights; several start from ImageNet: --start imagenet."
        ),
        "variant.unknown": "There is no variant {given!r}. Valid: {valid}.",
        "viewer.answer": "answer {number}: {score}",
        "viewer.answers": "Answers to the prompt",
        "viewer.background": "background",
        "viewer.busy": "The model is at work…",
        "viewer.by_class": "by class",
        "viewer.by_object": "by object",
        "viewer.choose": "Photo",
        "viewer.clear": "Clear",
        "viewer.color_by": "Colours",
        "viewer.curtain": "Curtain",
        "viewer.curtain_hint": "drag the border or the slider",
        "viewer.hint_box": "Drag a box around the object",
        "viewer.hint_contour": "Draw around the object with the button held",
        "viewer.hint_point": "Click: a point of the object; right click or Shift: a point of the background",
        "viewer.language_name": "English",
        "viewer.left": "Left",
        "viewer.legend": "What was found",
        "viewer.mask": "mask",
        "viewer.next": "Next photo",
        "viewer.none": "Nothing to show: there is no result.",
        "viewer.nothing": "nothing found",
        "viewer.opacity": "Opacity",
        "viewer.outline": "Outline",
        "viewer.overlay": "overlay",
        "viewer.photo": "photo",
        "viewer.photos": "Photos of the set",
        "viewer.pixels": "{value} px",
        "viewer.previous": "Previous photo",
        "viewer.right": "Right",
        "viewer.side": "Side by side",
        "viewer.split": "Border",
        "viewer.static": "The viewer with its sliders stands here; if it does not, run the cell.",
        "viewer.threshold": "Confidence threshold",
        "viewer.tool_box": "Box",
        "viewer.tool_contour": "Contour",
        "viewer.tool_point": "Point",
        "viewer.tools": "Prompts",
        "viewer.undo": "Undo",
        "viewer.viewer": "Segmentation viewer",
        "viewer.whole": "Whole photo",
        "viewer.zoom_hint": "Ctrl + mouse wheel; double click; keys + − 0",
        "viewer.zoom_in": "Closer",
        "viewer.zoom_out": "Farther",
        "weights.auto_reason": "chosen automatically: they are always there and need no network",
        "weights.broken": (
            'The weights file {path} is damaged or does not fit ({error}). Get it again or use weights="embedded".'
        ),
        "weights.embedded_reason": "as asked",
        "weights.file_reason": "a file was named",
        "weights.foreign": (
            "{path} is no weights file of labkit. Valid is a .safetensors that labkit train wrote, or "
            'weights="embedded".'
        ),
        "weights.hash": (
            "The embedded file {path} was changed: expected sha256 {expected}, got {got}. Install labkit again."
        ),
        "weights.missing": ("There is no weights file {path}. Give embedded, auto or the path of a .safetensors file."),
        "weights.no_official": (
            "This version's catalogue has no official weights for {variant} yet. Give embedded or a .safetensors file."
        ),
        "weights.no_release": "{variant} has no official weights {given}. Valid: {valid}.",
        "weights.not_embedded": "There are no embedded weights for {variant} in this version yet. Ready: {ready}.",
        "weights.other_variant": (
            '{path} holds weights of {found}, but {variant} is wanted. Give that model\'s file or weights="embedded".'
        ),
        "weights.taken": "Weights: {name} ({reason})",
    },
}

_DEFAULT = os.environ.get("LABKIT_LANGUAGE") or "ru"


def text(key: str, /, language: str | None = None, **values: object) -> str:
    """The text of a key in `language` (`"ru"`, `"en"`, or None: `LABKIT_LANGUAGE`, else Russian), `values` filled in.

    ValueError names the valid languages; KeyError for a key that is not in the table.
    """
    language = language or _DEFAULT
    if language not in TEXTS:
        raise ValueError(f"нет языка {language!r} (no such language); есть (valid): {', '.join(TEXTS)}")
    return TEXTS[language][key].format(**values)
