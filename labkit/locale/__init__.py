"""Everything that a student reads: one table, Russian first, the same keys in English."""

from __future__ import annotations

import os

__all__ = ["TEXTS", "decimal", "text"]

TEXTS: dict[str, dict[str, str]] = {
    "ru": {
        "checks.answers": "Вопросы отвечены",
        "checks.answers_told": "отвечено {count} из {total}",
        "checks.any_object": "любой объект",
        "checks.by_photo": "Найдено по фото",
        "checks.conclusions": "Выводы написаны",
        "checks.conclusions_told": "слов: {count}, нужно не меньше {least}",
        "checks.failed": "не выполнено",
        "checks.heading": "Проверки",
        "checks.more": " и ещё {count}",
        "checks.object": "объектов",
        "checks.objects": "Искомые объекты найдены",
        "checks.objects_all": "{what}: найдено на всех фото ({count})",
        "checks.objects_missing": "{what}: не найдено на фото {names}",
        "checks.ok": "выполнено",
        "checks.photos": "Фото достаточно",
        "checks.photos_told": "фото: {count}, нужно не меньше {wanted}",
        "checks.results": "У каждого фото есть результат",
        "checks.results_all": "результатов: {count}",
        "checks.results_missing": "нет результата: {names}",
        "checks.run": "Результаты этого запуска",
        "checks.run_differs": "страница расходится с данными: {what}",
        "checks.run_error": "тетрадь остановилась с ошибкой: {error}",
        "checks.run_order": "ячейки запускались не по порядку; запустите тетрадь целиком заново",
        "checks.run_part": "выполнено ячеек с кодом: {executed} из {cells}; запустите тетрадь целиком",
        "checks.run_whole": "все ячейки с кодом ({cells}) выполнены по порядку; рисунки и таблица согласны с данными",
        "checks.variant": "Модель своего варианта",
        "checks.variant_none": "модель не запускалась",
        "checks.variant_other": "запущена модель {model}, а тетрадь — варианта {asked}",
        "checks.variant_same": "запущена модель {model}",
        "checks.weights": "Веса из каталога",
        "checks.weights_embedded": "{name}: sha256 совпадает с каталогом",
        "checks.weights_official": "{name}: sha256 начинается так, как опубликовано",
        "checks.weights_unhashed": "{name}: для этого файла sha256 не опубликован, сверено только имя",
        "checks.weights_former": "{name}: веса прежней версии набора",
        "checks.weights_unknown": "{name}: такого sha256 в каталоге нет ({sha256})",
        "cli.box": "{given!r}: нужны четыре числа в пикселях через запятую, X0,Y0,X1,Y1, например 10,10,200,150",
        "cli.interrupted": "остановлено с клавиатуры",
        "cli.no_prompts": (
            "Подсказки понимает только вариант 4 (SAM), а не {variant}: уберите --point, --background-point и --box "
            "или укажите segment 4."
        ),
        "cli.point": "{given!r}: нужны два числа в пикселях через запятую, X,Y, например 200,110",
        "comparison.agreement": "согласие",
        "comparison.bad_weights": "Весов {given} нет. Укажите embedded, cached, official, official/ИМЯ, auto или файл.",
        "comparison.cached": "официальные, уже скачаны",
        "comparison.found_on": "{found} из {photos}",
        "comparison.megabytes": "веса, МБ",
        "comparison.model": "модель",
        "comparison.no_results": "{model} не справилась ни с одним фото и в сравнении не участвует.",
        "comparison.none_knows": "официальные веса не знают класс «{label}»",
        "comparison.not_cached": "официальные веса не скачаны",
        "comparison.not_had": "{given} взять не удалось: {reason}",
        "comparison.not_known": "{name}: класса «{label}» эти веса не знают, маска будет пустой",
        "comparison.not_loaded": "{number} {model}: не загрузилась и в сравнении не участвует ({reason})",
        "comparison.nowhere": "Ни одна модель не нашла класс «{label}» на фото: {names}.",
        "comparison.other_model": "{given} — веса другой модели, {model}",
        "comparison.partly": "Не участвуют фото, с которыми справились не все модели: {names}.",
        "comparison.seconds": "с на фото",
        "comparison.target": "Класса {given!r} нет. Есть: {valid}.",
        "comparison.weights": "{number} {model}: веса {name} ({reason})",
        "consistency.absent": "фото {name} нет в просмотре",
        "consistency.masks": "в просмотре фото {name} не те маски, что в данных",
        "consistency.table": "в таблице нет строки «{line}»",
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
        "download.again": "{url}: {reason}. Новая попытка через {seconds:.0f} с.",
        "download.broken": (
            "Файл весов {file} не годится: {reason}. Замените его файлом {url}; из кэша его можно просто удалить, "
            "тогда labkit скачает его заново."
        ),
        "download.failed": (
            "Веса {name} не скачаны.\n{reasons}\nПопробуйте ещё раз; укажите другой сервер в переменной LABKIT_MIRROR; "
            'скачайте {url} сами и положите как {path}; или обойдитесь встроенными: weights="embedded".'
        ),
        "download.full": (
            "На диске с {folder} не хватает места: для весов нужно около {megabytes:.0f} МБ. "
            'Освободите место, укажите другую папку в переменной LABKIT_CACHE или weights="embedded".'
        ),
        "download.hash": (
            "получено {size} байт, их {algorithm} {got}, а должен начинаться с {expected}: файл неполный, повреждён по "
            "дороге или подменён"
        ),
        "download.html": (
            "вместо файла пришла страница HTML ({size} байт): так отвечают прокси и сети, в которые нужно войти"
        ),
        "download.network": "нет связи, или она прервалась ({error})",
        "download.no_checkpoint": "{size} байт — не файл весов PyTorch, или он неполный",
        "download.offline": (
            "Весов {name} в кэше нет, а сеть выключена (LABKIT_OFFLINE). Скачайте {url} на другом компьютере и "
            'положите как {path}; уберите LABKIT_OFFLINE; или обойдитесь встроенными: weights="embedded".'
        ),
        "download.status": "сервер ответил {status} {phrase}",
        "download.unreadable": "файл не читается ({error})",
        "download.unwritable": (
            "Не удалось записать в папку {folder} ({error}). Укажите в переменной LABKIT_CACHE папку, в которую можно "
            'писать, или weights="embedded".'
        ),
        "download.waiting": "Веса {name} уже скачивает другой процесс; жду его.",
        "download.zip_bomb": (
            "файл в архиве подозрительно велик ({size} байт, сжат в {ratio:.0f} раз), он не распакован"
        ),
        "download.zip_broken": "архив zip повреждён ({error})",
        "download.zip_members": "в архиве файлов с весами: {count}, а нужен один",
        "explain.aspp_adds": "{name}\nвклад до {high}",
        "explain.aspp_agreed": "«{label}», как в полном ответе",
        "explain.aspp_all": "все ветви",
        "explain.aspp_alone": "она одна",
        "explain.aspp_anything": "объекты",
        "explain.aspp_branch": "ветвь",
        "explain.aspp_extra": "лишнее",
        "explain.aspp_lost": "потеряно",
        "explain.aspp_none": "В сети {given} нет ASPP. Загрузите вариант 1: labkit.load_model(1).",
        "explain.aspp_photo": "Фото {name}. IoU маски «{label}» с полным ответом сети.",
        "explain.aspp_pooling": "среднее по карте",
        "explain.aspp_silent": "Без всех ветвей сразу: {score}.",
        "explain.aspp_without": "все, кроме неё",
        "explain.atrous_beyond": "за краем карты: там нули",
        "explain.atrous_inside": "на карте",
        "explain.atrous_kernel": "весов ядра",
        "explain.atrous_layer": "весов слоя",
        "explain.atrous_map": (
            "Фото {name}: карта признаков {width}×{height}, её клетка — {stride}×{stride} пикселей входа."
        ),
        "explain.atrous_of": "{inside} из {all}",
        "explain.atrous_pixels": "пикселей входа",
        "explain.atrous_seen": "клетка, от которой зависит ответ в центре",
        "explain.atrous_span": "охват",
        "explain.atrous_title": "rate {rate}: охват {span}×{span}\nна карте {inside} из {all}",
        "explain.counting_class": "класс",
        "explain.counting_doubled_name": "{name} и отражение",
        "explain.counting_none": "Двух объектов одного класса здесь не найдено.",
        "explain.counting_objects": "объектов",
        "explain.counting_objects_title": "объектная, объектов: {count}",
        "explain.counting_regions": "связных областей",
        "explain.counting_regions_title": "семантическая, связных областей: {count}",
        "explain.counting_right": (
            "На фото с отражением объектов не меньше двух. Два или больше насчитано: по объектам — на {objects} "
            "из {photos}, по связным областям — на {regions} из {photos}."
        ),
        "explain.crf_after": "вход {side}: с CRF",
        "explain.crf_alpha": "θα: близость, пикс. сетки",
        "explain.crf_appearance": "w1: вес похожих по цвету",
        "explain.crf_before": "вход {side}: сеть",
        "explain.crf_beta": "θβ: сходство цвета",
        "explain.crf_boundary": "Граничный IoU с эталоном; «вход» — настройка working_side сети.",
        "explain.crf_gained": "стало другим классом",
        "explain.crf_gamma": "θγ: соседство, пикс. сетки",
        "explain.crf_iterations": "шагов среднего поля",
        "explain.crf_kept": "осталось как было",
        "explain.crf_lost": "стало фоном",
        "explain.crf_mean": "в среднем",
        "explain.crf_no_reference": (
            "Эталонов нет: положите рядом с фото ИМЯ.json (labelme) или ИМЯ.mask.png, и здесь будет граничный IoU."
        ),
        "explain.crf_score": "граничный IoU {score}",
        "explain.crf_share": "CRF сменил класс:\n{share} % пикселей",
        "explain.crf_smoothness": "w2: вес ближайших соседей",
        "explain.detection_box": "рамка, пикс.",
        "explain.detection_found": "найдено объектов: {count}",
        "explain.detection_level": "уровень",
        "explain.detection_no_parts": (
            "{given}: в этой сети нет ни RPN, ни выходов Mask R-CNN. Загрузите вариант 6: labkit.load_model(6)."
        ),
        "explain.detection_rpn_only": ", только RPN",
        "explain.detection_side": "√(ширина·высота)",
        "explain.detection_stride": "P{number}: шаг {stride}",
        "explain.fcn_both": "общая граница",
        "explain.fcn_boundary": "граничный IoU",
        "explain.fcn_coarse": "только у грубой сети",
        "explain.fcn_fine": "только у FCN-8s",
        "explain.fcn_heat": "{label}: до {peak}",
        "explain.fcn_no_skips": (
            "В сети с весами {name} нет пропускающих соединений: сравнить FCN-32s, 16s и 8s нельзя. Загрузите "
            'labkit.load_model(3, weights="embedded").'
        ),
        "explain.fcn_none": "В сети {given} нет карты классов FCN. Загрузите вариант 3: labkit.load_model(3).",
        "explain.fcn_scale": "вероятность класса",
        "explain.fcn_size": "вход {height}×{width},\nкарта {rows}×{columns}",
        "explain.heads_boxes": "рамка: пунктир — предложение RPN,\nсплошная — после уточнения",
        "explain.heads_chosen": "её и взяли",
        "explain.heads_class": "{name}\nкласс {score}",
        "explain.heads_moved": "{number}: IoU с предложением {moved}",
        "explain.heads_other": "IoU с выбранной {overlap}",
        "explain.heads_pasted": "маска на фото",
        "explain.heads_rejected": "{number}: фон, отброшена",
        "explain.heads_total": (
            "В одной клетке вероятности масок всех классов ({classes}) дают в сумме до {total}; после softmax "
            "было бы 1."
        ),
        "explain.proposals_after": "после NMS",
        "explain.proposals_anchors": "якорей",
        "explain.proposals_before": "до NMS",
        "explain.proposals_level": "уровень",
        "explain.proposals_pairs": "пар с IoU больше {least}: {count}",
        "explain.proposals_passed": "дальше",
        "explain.proposals_shown_after": "после NMS: лучшие {count} из {all}",
        "explain.proposals_shown_before": "до NMS: лучшие {count} из {all}",
        "explain.proposals_slider": "Нарисовать предложений",
        "explain.proposals_sum": "всего",
        "explain.pyramid_against": "ниже из-за него",
        "explain.pyramid_all": "без всей пирамиды",
        "explain.pyramid_changed": "сменили класс",
        "explain.pyramid_for": "вероятность класса «{label}» выше благодаря уровню",
        "explain.pyramid_iou": "IoU с полным ответом",
        "explain.pyramid_kept": "«{label}», как в полном ответе",
        "explain.pyramid_lost": "было «{label}», стало другое",
        "explain.pyramid_map": "карта {size}×{size}\nсила {values}",
        "explain.pyramid_missing": "В сети {given} нет пирамиды PSPNet. Загрузите вариант 5: labkit.load_model(5).",
        "explain.pyramid_other": "другие перемены",
        "explain.pyramid_photo": "Фото {name}. IoU считается для класса «{label}».",
        "explain.pyramid_same": "ничего не изменилось",
        "explain.pyramid_scores": "сменили класс: {share} %",
        "explain.pyramid_size": "Уровней {given} в пирамиде нет. Есть: {valid}.",
        "explain.pyramid_swap": "самая частая перемена",
        "explain.pyramid_vote": "вклад {size}×{size}\n{values}",
        "explain.pyramid_with": "с пирамидой",
        "explain.pyramid_without": "без {sizes}",
        "explain.sam_axis_predicted": "предсказанный IoU",
        "explain.sam_axis_true": "настоящий IoU",
        "explain.sam_box": "рамка",
        "explain.sam_components": "карта признаков {rows}×{columns},\n{share} дисперсии",
        "explain.sam_contour": "контур",
        "explain.sam_cost": (
            "Кодировщик изображения: {embedding} млрд операций, один раз на фото.\nОдна подсказка: {prompt} млрд "
            "операций.\nКарта признаков стоит как {ratio} подсказки."
        ),
        "explain.sam_count": "векторов {count}",
        "explain.sam_dense": "плотная карта",
        "explain.sam_dense_mask": "из карты подсказки",
        "explain.sam_dense_none": "маски нет: всюду один вектор",
        "explain.sam_embedding": "карта признаков",
        "explain.sam_input": "вход кодировщика",
        "explain.sam_logits": "логиты",
        "explain.sam_mask": "маска SAM,\nпредсказан IoU {score}",
        "explain.sam_needed": "Это показывает SAM, а загружена {given}. Загрузите вариант 4: labkit.load_model(4).",
        "explain.sam_no_outline": (
            "Ни у одного из фото нет контура: настоящий IoU узнать нельзя. Обведите объект в labelme и положите "
            "ИМЯ.json рядом с фото."
        ),
        "explain.sam_no_stranger": "Автоматический режим не нашёл на этих фото объекта, который для другой сети — фон.",
        "explain.sam_numbers": "чисел",
        "explain.sam_outlined": "точка и контур",
        "explain.sam_photo": "фото",
        "explain.sam_place": "одно место: {stride}×{stride} пикс. входа, около {pixels}×{pixels} фото",
        "explain.sam_point": "точка",
        "explain.sam_point_box": "точка и рамка",
        "explain.sam_predicted": "ответ {number}: {score}",
        "explain.sam_prompt": "подсказка",
        "explain.sam_rank": "ответ {number}",
        "explain.sam_ranking": (
            "Первый ответ хуже лучшего из трёх больше чем на {by} IoU: на {worse} из {photos} фото.\nСредний IoU с "
            "контуром: у первого ответа {first}, у лучшего из трёх {best}; сеть предсказала для первого {predicted}."
        ),
        "explain.sam_seconds": "На этом компьютере сейчас: карта признаков {embedding} мс, подсказка {prompt} мс.",
        "explain.sam_semantic": "{title} на маске:",
        "explain.sam_size": "размер",
        "explain.sam_token_names": "что они значат",
        "explain.sam_token_no_box": "«рамки нет»",
        "explain.sam_token_point": "точка объекта",
        "explain.sam_tokens": "векторов",
        "explain.sam_tokens_box": "два угла рамки",
        "explain.sam_true": "на деле {iou}",
        "explain.sam_what": "что",
        "explain.transposed_bilinear": "билинейное ядро:\nначало обучения",
        "explain.transposed_change": "разность: {moved} % нормы,\nкосинус {likeness}",
        "explain.transposed_empty": (
            "Выход пуст: o = (i − 1)·s + k − 2p = {o} при i = {i}, k = {k}, s = {s}, p = {p}. Возьмите p не больше "
            "{most} или увеличьте i."
        ),
        "explain.transposed_i": "вход i",
        "explain.transposed_input": "вход\n{rows}×{columns}",
        "explain.transposed_inserted": "z = {z}: нули\nмежду клетками,\n{rows}×{columns}",
        "explain.transposed_k": "ядро k",
        "explain.transposed_kernel": "ядро\n{rows}×{columns}",
        "explain.transposed_learned": "обученное ядро:\n{label}",
        "explain.transposed_none": (
            "В сети с весами {name} нет обученной транспонированной свёртки: она увеличивает карту интерполяцией. "
            'Загрузите labkit.load_model(3, weights="embedded").'
        ),
        "explain.transposed_output": "выход\n{rows}×{columns}",
        "explain.transposed_p": "дополнение p",
        "explain.transposed_padded": "p′ = {border}: нули\nпо краям,\n{rows}×{columns}",
        "explain.transposed_refused": (
            "Транспонированная свёртка: k = {k}, s = {s}, p = {p} не подходят. Нужны k ≥ 1, s ≥ 1 и p от 0 до k − 1 = "
            "{most}."
        ),
        "explain.transposed_rotated": "ядро,\nповёрнутое\nна 180°",
        "explain.transposed_s": "шаг s",
        "explain.unet_agreed": "совпало с образцом",
        "explain.unet_all": "все соединения",
        "explain.unet_bottom": "дно",
        "explain.unet_boundary": "граничный IoU",
        "explain.unet_contracting": "сжимающий путь",
        "explain.unet_down": "вдвое меньше",
        "explain.unet_expanding": "расширяющий путь",
        "explain.unet_extra": "лишнее",
        "explain.unet_fill": "fill = {given!r}: можно {valid}.",
        "explain.unet_joined": "соединение",
        "explain.unet_level": "уровень",
        "explain.unet_lost": "потеряно",
        "explain.unet_missing": (
            "В сети {given} нет U-Net с её соединениями. Загрузите вариант 2: labkit.load_model(2)."
        ),
        "explain.unet_none": "без всех соединений",
        "explain.unet_nothing": (
            "На фото {name} сеть ничего не нашла: сравнивать нечего. Возьмите фото, на котором объект найден."
        ),
        "explain.unet_output": "выход",
        "explain.unet_own": (
            "Фото {name}, класс «{label}». Эталона с ним нет: образец — маска сети со всеми соединениями."
        ),
        "explain.unet_reference": "Фото {name}, класс «{label}». Образец — эталон, обведённый человеком.",
        "explain.unet_scores": "IoU {iou}, граничный {boundary}",
        "explain.unet_skip": "пропускающее соединение (+ число каналов)",
        "explain.unet_up": "вдвое больше",
        "explain.unet_without": "без соединения {scale}",
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
        "grade.differs": "страница расходится с данными",
        "grade.edited": "изменён после создания",
        "grade.edited_data": "данные изменены после того, как отчёт был создан",
        "grade.edited_page": "страница изменена вручную или пересохранена браузером; данные целы",
        "grade.edited_unsealed": "контрольной суммы нет: отчёт собран не набором labkit или изменён",
        "grade.kit_photos": "фото из набора",
        "grade.kit_told": "фото из набора labkit, а не свои: {names}",
        "grade.lost_crashed": "обработка этого файла оборвалась; остальных это не коснулось",
        "grade.lost_failed": "файл не удалось обработать ({error})",
        "grade.lost_memory": "файлу нужно слишком много памяти",
        "grade.lost_slow": "обработка файла заняла слишком много времени и была остановлена",
        "grade.no_folder": "Папки {folder} нет. Дайте папку со сданными отчётами: .html, .ipynb или .zip с ними.",
        "grade.no_workers": "Не удалось запустить рабочие процессы. Запустите проверку командой labkit grade ПАПКА.",
        "grade.not_checked": "маски не проверены",
        "grade.not_own": "маски не те, что у модели: IoU ниже {least} на фото ({count}): {names}",
        "grade.not_own_masks": "маски не от модели",
        "grade.nothing": "В папке {folder} нет отчётов: ни .html, ни .ipynb, ни .zip с ними.",
        "grade.reading": "Отчёты",
        "grade.running": "Маски заново",
        "grade.same_photos": "те же фото",
        "grade.same_text": "тот же текст",
        "grade.unreadable": "не прочитан",
        "gradebook.answers": "Ответы на вопросы",
        "gradebook.ascending": "{column}: по возрастанию",
        "gradebook.by_variant": "вариант {variant}: {count}",
        "gradebook.caption": (
            "Сданные отчёты. Кнопка в заголовке столбца сортирует таблицу, кнопка с именем студента раскрывает "
            "подробности."
        ),
        "gradebook.checks": "Проверки",
        "gradebook.clear": "Сбросить",
        "gradebook.collapse_all": "Свернуть все",
        "gradebook.comment": "Комментарий",
        "gradebook.comment_on": "Комментарий: {student}",
        "gradebook.conclusions": "Выводы",
        "gradebook.crosses": "не всё выполнено: {count}",
        "gradebook.date": "Дата",
        "gradebook.descending": "{column}: по убыванию",
        "gradebook.expand_all": "Раскрыть все",
        "gradebook.failed": "не выполнено",
        "gradebook.failures": "Что не выполнено",
        "gradebook.file": "Файл",
        "gradebook.found": "найдено",
        "gradebook.group": "Группа",
        "gradebook.heading": "Проверка отчётов",
        "gradebook.hint": (
            "Всё на этой странице — текст, прочитанный из данных отчётов. Ссылка открывает сам файл студента, и его "
            "скрипты выполнит браузер."
        ),
        "gradebook.iou": "Мин. IoU",
        "gradebook.iou_legend": (
            "IoU фото показывает, насколько маски отчёта совпадают с теми, которые те же веса дают на том же фото на "
            "этой машине: пересечение, делённое на объединение, по всем сегментам вместе или, если он хуже, по одному "
            "из сегментов крупнее 1 % фото (0, если сегмента нет или он лишний). Пиксели и объекты, в которых модель "
            "сама не уверена, не считаются: другая машина округляет иначе. У честного отчёта IoU около 1."
        ),
        "gradebook.iou_low": "ниже {least}",
        "gradebook.load": "Загрузить оценки…",
        "gradebook.load_failed": (
            "{name}: оценок в файле нет. Нужен grades.html или grades.csv, сохранённый с этой страницы."
        ),
        "gradebook.loaded": (
            "{name}: загружено оценок и комментариев: {loaded}; нет в этой таблице: {unknown}; не число: {refused}."
        ),
        "gradebook.mark": "Оценка",
        "gradebook.mark_of": "Оценка: {student}",
        "gradebook.model": "Модель",
        "gradebook.more": "и ещё {count}",
        "gradebook.no": "нет",
        "gradebook.no_group": "без группы",
        "gradebook.no_javascript": (
            "Таблице нужен JavaScript. То же без него — в файле grades.csv рядом с этой страницей."
        ),
        "gradebook.no_name": "без имени",
        "gradebook.no_result": "нет результата",
        "gradebook.not_found": "не найдено",
        "gradebook.not_kept": "Этот браузер не запоминает оценки: сохраните страницу, прежде чем закрыть её.",
        "gradebook.nothing": "Таких строк нет.",
        "gradebook.only_crosses": "Не всё выполнено",
        "gradebook.only_remarks": "С замечаниями",
        "gradebook.only_unmarked": "Без оценки",
        "gradebook.open": "Открыть отчёт",
        "gradebook.order": "Порядок",
        "gradebook.passed": "выполнено",
        "gradebook.passed_of": "выполнено {passed} из {count}",
        "gradebook.photos": "Фото",
        "gradebook.remarks": "Замечания",
        "gradebook.reports": "Файлов: {count}",
        "gradebook.restored": "Из памяти браузера взято оценок и комментариев: {count}.",
        "gradebook.save_csv": "Сохранить CSV",
        "gradebook.save_page": "Сохранить страницу с оценками",
        "gradebook.saved": "Несохранённых изменений нет.",
        "gradebook.search": "Поиск",
        "gradebook.shown": "Показано: {shown} из {count}",
        "gradebook.student": "Студент",
        "gradebook.unmarked": "без оценки: {count}",
        "gradebook.unreadable": "не прочитано: {count}",
        "gradebook.unsaved": "Не сохранено в файл: {count}.",
        "gradebook.unwritable": (
            "{path} не записан ({error}). Закройте его в других программах и запустите проверку ещё раз."
        ),
        "gradebook.variant": "Вариант",
        "gradebook.weights": "Веса",
        "gradebook.with_remarks": "с замечаниями: {count}",
        "gradebook.yes": "да",
        "hand_in.busy": "Пишу отчёт…",
        "hand_in.button": "Записать отчёт",
        "hand_in.not_found": (
            "Файл тетради не найден. Сохраните её под именем {name} в текущей папке и нажмите ещё раз или "
            "выполните в терминале: python -m labkit report {variant}."
        ),
        "hand_in.not_saved": (
            "В сохранённой тетради ещё нет результатов этого запуска. Сохраните её (Ctrl+S) и нажмите кнопку ещё раз."
        ),
        "hand_in.unreadable": "Тетрадь {path} не читается ({error}). Сохраните её и нажмите кнопку ещё раз.",
        "hand_in.written": "Отчёт записан: {path}",
        "handed.climbs": "путь этого файла в архиве ведёт наружу; файл не тронут",
        "handed.cut": "данные отчёта обрываются: файл записан не до конца; попросите его ещё раз",
        "handed.data": "данные отчёта испорчены ({error})",
        "handed.deep": "данные вложены слишком глубоко; такой файл labkit не пишет",
        "handed.empty": "файл пуст",
        "handed.foreign": "{suffix} — не отчёт; нужен .html, .ipynb или .zip с ними",
        "handed.large": "файл больше предела в {limit} МБ",
        "handed.link": "это ссылка наружу, за пределы папки; она не открыта",
        "handed.many": "в архиве больше {limit} отчётов; остальные не прочитаны, разделите его",
        "handed.masks": "масок слишком много: столько не бывает у настоящего отчёта",
        "handed.nested": "архив в архиве в архиве не открывается; раскройте его сами",
        "handed.no_block": (
            "данных отчёта в файле нет: это другая страница или отчёт старой версии; попросите отчёт заново"
        ),
        "handed.not_run": "данных отчёта в тетради нет: её последняя ячейка не выполнена",
        "handed.notebook": "тетрадь не читается ({error})",
        "handed.nothing": "отчётов в архиве нет: ни .html, ни .ipynb",
        "handed.pixels": "маска в {width}×{height} пикселей; больше {limit} пикселей у отчёта не бывает",
        "handed.two_blocks": "данных отчёта в файле больше одного набора; так labkit не пишет",
        "handed.unreadable": "файл не читается ({error})",
        "language": "ru",
        "model.choice": "{name} = {given!r}: можно {valid}.",
        "model.device": (
            'Устройства {given!r} здесь нет. Есть auto и cpu, при видеокарте NVIDIA ещё cuda; попробуйте device="auto".'
        ),
        "model.failed": "{name}: не обработано: {reason}",
        "model.memory": "{name}: памяти не хватает даже для самого малого размера; закройте другие программы.",
        "model.memory_batch": "Памяти видеокарты не хватило: дальше не больше {count} фото за раз.",
        "model.memory_cpu": "Памяти видеокарты не хватило и так: дальше считает процессор.",
        "model.memory_points": "Памяти видеокарты не хватило: дальше не больше {count} точек за раз.",
        "model.memory_side": "Памяти не хватило: рабочий размер уменьшен до {side} пикселей.",
        "model.progress": "Сегментация",
        "model.range": "{name} = {given!r}: нужно число от {low} до {high}, обычно {value}.",
        "model.setting": "Нет такой настройки: {given}. У этой модели есть: {valid}.",
        "pairs.again": "тот же студент сдал это ещё раз: {files}",
        "pairs.answers": "тот же ответ ({questions}), что в {files}",
        "pairs.conclusions": "выводы",
        "pairs.photos": "{count} из {total} фото ({names}) — также в {files}",
        "pairs.text": "тот же текст, что в {files}",
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
        "photos.zip_total": "файлы в архиве вместе больше предела в {limit} МБ; разделите его на части",
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
        "recompute.absent": "в отчёте нет самого фото",
        "recompute.dear": "настройка {name} = {value} требует слишком долгого счёта, проверяем до {most}",
        "recompute.failed": "ошибка: {error}",
        "recompute.former": "{name} — веса прежней версии набора, здесь их нет",
        "recompute.masks": "маски в данных повреждены",
        "recompute.model": "такой модели в наборе нет, или она не понимает подсказок",
        "recompute.not_here": "весов {name} нет на этой машине (скачать их: labkit weights fetch {release})",
        "recompute.nothing": "Маски не пересчитаны: в отчёте нет ни одного результата.",
        "recompute.photo": "фото в отчёте не того размера или вида, что результат",
        "recompute.prompts": "подсказки в данных повреждены",
        "recompute.setting": "у модели нет настройки {name} со значением {value}",
        "recompute.sha256": "sha256 весов {name} не тот, что в каталоге",
        "recompute.time": "не хватило времени, {seconds} с на отчёт",
        "recompute.unchecked": "Маски не пересчитаны: {what}.",
        "recompute.unknown": "весов {name} нет в каталоге",
        "references.aspect": (
            "маска {width}×{height}, а фото {photo_width}×{photo_height}: стороны относятся по-разному. "
            "Размечайте фото целиком и так, как его видно на экране, не на боку"
        ),
        "references.binary": (
            "в маске только 0 и 255: видно, где объект, но не какой. Назовите файл {stem}.КЛАСС{ending}, "
            "например {stem}.кошка{ending}; в {stem}{ending} стоят номера классов"
        ),
        "references.coco": (
            "файл похож на COCO JSON, но не читается ({error}). Нужны images (id, file_name, width, height), "
            "annotations (image_id, category_id, segmentation) и categories (id, name)"
        ),
        "references.corners": "в контуре {number} точек {count}, а нужно не меньше трёх. Обведите объект заново",
        "references.json": "это не JSON, или файл повреждён ({error}). Сохраните разметку заново",
        "references.label": "класса {label!r} нет в наборе {classes}. Есть: {valid}",
        "references.labelme": (
            "файл не похож на разметку labelme ({error}): нужны shapes, imageWidth и imageHeight. Сохраните "
            "разметку в labelme заново"
        ),
        "references.large": (
            "файл больше {limit} МБ. В labelme отключите «Save With Image Data», COCO JSON разделите на части"
        ),
        "references.many": (
            "объектов {objects}, точек в контурах {points}; на одном фото читается не больше {most_objects} "
            "объектов и {most_points} точек. Оставьте главные объекты"
        ),
        "references.mode": (
            "пиксели вида {mode}, а номера классов — это 8-битный (8-bit) PNG, серый или с палитрой. Маску "
            "одного класса назовите ИМЯ.КЛАСС.mask.png"
        ),
        "references.outside": "контур {number} лежит далеко за краем фото. Проверьте, к этому ли фото разметка",
        "references.part": "маска фигуры {number} не читается ({error}). Выделите объект заново",
        "references.pixels": "в маске больше {limit} млн пикселей. Уменьшите её вместе с фото",
        "references.png": "это не PNG, или файл повреждён ({error}). Сохраните маску заново в формате PNG",
        "references.points": "координаты контура {number} не читаются: нужны пары чисел. Обведите объект заново",
        "references.rle": (
            "маска объекта {number} (RLE) повреждена или другого размера, чем картинка. Выгрузите разметку заново"
        ),
        "references.shape": (
            "фигура {number} вида {kind!r} (точек {count}) — не маска. Годятся polygon, из четырёх точек "
            "oriented_rectangle, из двух — rectangle, circle и mask"
        ),
        "references.size": (
            "размер картинки {width}×{height}; нужны целые числа от 1 до {limit}. Сохраните разметку заново"
        ),
        "references.twice": (
            "картинка {photo} записана несколько раз. Оставьте одну запись или назовите фото по-разному"
        ),
        "references.values": (
            "в маске есть номера {found}, а в наборе {classes} номера от 0 до {last} и 255 (не размечено). "
            "Исправьте номера"
        ),
        "report.comparison": "Сравнение шести вариантов",
        "report.date": "Дата",
        "report.device": "Устройство",
        "report.group": "Группа",
        "report.heading": "Вариант",
        "report.hide_code": "Скрыть код",
        "report.no_notebook": (
            "Тетрадь {name} не найдена: запустите команду в папке набора (там, где лежит notebooks/)."
        ),
        "report.photos": "Фото и их sha256",
        "report.printed": "Просмотр с ползунками — в файле отчёта; рисунки для печати — выше.",
        "report.reason": "Почему эти веса",
        "report.settings": "Настройки",
        "report.sha256": "sha256 весов",
        "report.show_code": "Показать код",
        "report.stopped": "ячейка с кодом № {cell}: {reason}",
        "report.student": "Студент",
        "report.unfinished": "Выполнение остановилось:",
        "report.variant": "Вариант",
        "report.versions": "Версии",
        "report.weights": "Веса",
        "scores.accuracy": "точность",
        "scores.all": "все фото",
        "scores.beyond": "SAM захватил лишнее: это не {label}",
        "scores.broken": "Маска не прочитана: {note}",
        "scores.by_model": "модель\n(в клетке — % пикселей класса)",
        "scores.by_reference": "разметка",
        "scores.class": "класс",
        "scores.confusion": "матрица ошибок, % пикселей класса",
        "scores.flat": (
            "Для AP50 и PQ нужна разметка, где каждый объект отдельно (labelme, COCO или ИМЯ.КЛАСС.1.mask.png); на "
            "этих фото её нет: {names}."
        ),
        "scores.foreign": "Этих классов модель не знает, их пиксели засчитаны как ошибка: {names}.",
        "scores.mean": (
            "Средний IoU по классам разметки {mean}; верный класс у доли {accuracy} всех размеченных пикселей."
        ),
        "scores.mean_objects": "Средний IoU {mean}, объектов в разметке: {count}.",
        "scores.mean_row": "среднее",
        "scores.missed": "SAM пропустил: {label}",
        "scores.mistaken": "разметка: {said}, модель: {given}",
        "scores.model_outline": "граница модели",
        "scores.no_classes": "SAM не знает классов, поэтому матрицы ошибок нет.",
        "scores.no_masks": (
            "Сравнить не с чем: ни у одного фото нет маски. Обведите объекты в labelme и положите файлы .json рядом "
            "с фото (или маски ИМЯ.КЛАСС.mask.png, например cat_1.кошка.mask.png, либо файл COCO JSON), затем "
            "запустите тетрадь заново."
        ),
        "scores.no_mistakes": "Ошибок хотя бы в 0,1 % фото нет.",
        "scores.object": "объект",
        "scores.objects": "в разметке",
        "scores.reference_outline": "граница разметки",
        "scores.share": "{share} % фото",
        "scores.without": "Фото без разметки: {names}.",
        "scores.wrong": "ошибка",
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
        "upload.button": "Загрузить фото",
        "upload.empty": "{name}: в архиве нет фото",
        "upload.failed": "{name}: не сохранено ({error})",
        "upload.not_photo": "{name}: это не фото; подходят JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC, AVIF и zip-архив",
        "upload.page": "Кнопка загрузки фото появляется, когда тетрадь открыта и ячейка выполнена.",
        "upload.progress": "Передаётся файл {number} из {count}: {name}",
        "upload.renamed": "{name}: сохранено как {other} — под прежним именем в папке лежит другое фото",
        "upload.same": "{name}: такое фото в папке уже есть ({other})",
        "upload.state": 'Фото в папке {folder}: {count}. Напишите в параметрах: photos_path = "{folder}"',
        "upload.too_large": (
            "{name}: {megabytes} МБ, больше предела в {limit} МБ; уменьшите фото или разделите архив на части"
        ),
        "upload.waiting": "Файлы передаются; если работают другие ячейки, дождитесь, пока они закончат.",
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
        "weights.auto_classes": "выбраны автоматически: опубликованная U-Net знает лишь людей, встроенная — 20 классов",
        "weights.auto_gpu": "выбраны автоматически: есть видеокарта, и файл скачан и проверен",
        "weights.auto_no_gpu": "выбраны автоматически: видеокарты нет, а встроенные быстры и не требуют сети",
        "weights.auto_not_had": "выбраны автоматически: официальные взять не удалось ({reason})",
        "weights.broken": (
            'Файл весов {path} повреждён или не подходит ({error}). Возьмите его заново или укажите weights="embedded".'
        ),
        "weights.cache": "Папка скачанных весов: {path}",
        "weights.cached": "скачаны",
        "weights.embedded_reason": "так указано",
        "weights.fetch_what": "Что скачать? Укажите вариант или имя из labkit weights list: labkit weights fetch 1.",
        "weights.file_reason": "указан файл",
        "weights.foreign": (
            "{path} — не файл весов labkit. Подходит .safetensors, который записала команда labkit train; либо "
            'weights="embedded".'
        ),
        "weights.hash": (
            "Встроенный файл {path} изменён: ожидался sha256 {expected}, а у него {got}. Установите labkit заново."
        ),
        "weights.missing": "Файла весов {path} нет. Укажите auto, embedded, official или путь к файлу.",
        "weights.no_classes": "без классов",
        "weights.no_release": "У варианта {variant} нет официальных весов {given}. Есть: {valid}.",
        "weights.not_cached": "не скачаны",
        "weights.official_reason": "так указано",
        "weights.other_variant": (
            '{path} — веса модели {found}, а нужна {variant}. Укажите файл этой модели или weights="embedded".'
        ),
        "weights.taken": "Веса: {name} ({reason})",
        "weights.unsafe": (
            "В файле весов {path} есть код, а не только числа; такие файлы не открываются. Скачайте веса заново из "
            "каталога (labkit weights fetch) или сохраните только тензоры: torch.save(model.state_dict(), …)."
        ),
    },
    "en": {
        "checks.answers": "Questions answered",
        "checks.answers_told": "{count} of {total} answered",
        "checks.any_object": "any object",
        "checks.by_photo": "Found, photo by photo",
        "checks.conclusions": "Conclusions written",
        "checks.conclusions_told": "{count} words, at least {least} are needed",
        "checks.failed": "failed",
        "checks.heading": "Checks",
        "checks.more": " and {count} more",
        "checks.object": "objects",
        "checks.objects": "Sought objects found",
        "checks.objects_all": "{what}: found on all photos ({count})",
        "checks.objects_missing": "{what}: not found on {names}",
        "checks.ok": "passed",
        "checks.photos": "Enough photos",
        "checks.photos_told": "{count} photos, at least {wanted} are needed",
        "checks.results": "Every photo has a result",
        "checks.results_all": "{count} results",
        "checks.results_missing": "no result: {names}",
        "checks.run": "Results of this run",
        "checks.run_differs": "the page differs from its data: {what}",
        "checks.run_error": "the notebook stopped with an error: {error}",
        "checks.run_order": "the cells were not run in their order; run the whole notebook again",
        "checks.run_part": "{executed} of {cells} code cells were run; run the whole notebook",
        "checks.run_whole": "all code cells ({cells}) were run in their order; figures and table agree with the data",
        "checks.variant": "The variant's own model",
        "checks.variant_none": "no model was run",
        "checks.variant_other": "the model that was run is {model}, the notebook is of variant {asked}",
        "checks.variant_same": "the model that was run is {model}",
        "checks.weights": "Weights of the catalogue",
        "checks.weights_embedded": "{name}: the sha256 is the catalogue's",
        "checks.weights_official": "{name}: the sha256 begins as published",
        "checks.weights_unhashed": "{name}: no sha256 of this file is published, only its name was compared",
        "checks.weights_former": "{name}: weights of an earlier version of the kit",
        "checks.weights_unknown": "{name}: the catalogue has no such sha256 ({sha256})",
        "cli.box": "{given!r}: four numbers in pixels with commas are needed, X0,Y0,X1,Y1, for instance 10,10,200,150",
        "cli.interrupted": "stopped from the keyboard",
        "cli.no_prompts": (
            "Only variant 4 (SAM) takes prompts, {variant} does not: leave out --point, --background-point and --box, "
            "or say segment 4."
        ),
        "cli.point": "{given!r}: two numbers in pixels with a comma are needed, X,Y, for instance 200,110",
        "comparison.agreement": "agreement",
        "comparison.bad_weights": (
            "No weights are called {given}. Give embedded, cached, official, official/NAME, auto or a file."
        ),
        "comparison.cached": "official, already downloaded",
        "comparison.found_on": "{found} of {photos}",
        "comparison.megabytes": "weights, MB",
        "comparison.model": "model",
        "comparison.no_results": "{model} failed on every photo and is left out of the comparison.",
        "comparison.none_knows": "the official weights do not know the class {label!r}",
        "comparison.not_cached": "the official weights are not downloaded",
        "comparison.not_had": "{given} could not be had: {reason}",
        "comparison.not_known": "{name}: these weights do not know the class {label!r}, the mask will be empty",
        "comparison.not_loaded": "{number} {model}: could not be loaded and is left out of the comparison ({reason})",
        "comparison.nowhere": "No model found the class {label!r} on the photos: {names}.",
        "comparison.other_model": "{given} are weights of another model, {model}",
        "comparison.partly": "Left out are the photos that some model failed on: {names}.",
        "comparison.seconds": "s a photo",
        "comparison.target": "There is no class {given!r}. Valid: {valid}.",
        "comparison.weights": "{number} {model}: weights {name} ({reason})",
        "consistency.absent": "the viewer does not have the photo {name}",
        "consistency.masks": "the viewer of the photo {name} has other masks than the data",
        "consistency.table": "the table lacks the row “{line}”",
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
        "download.again": "{url}: {reason}. Trying again in {seconds:.0f} s.",
        "download.broken": (
            "The weights file {file} is no good: {reason}. Replace it with {url}; in the cache you may just delete it, "
            "and labkit downloads it again."
        ),
        "download.failed": (
            "The weights {name} could not be downloaded.\n{reasons}\nTry again; name another server in LABKIT_MIRROR; "
            'download {url} yourself and save it as {path}; or use the embedded ones: weights="embedded".'
        ),
        "download.full": (
            "The disk of {folder} is full: the weights need about {megabytes:.0f} MB. "
            'Make room, name another folder in LABKIT_CACHE, or use weights="embedded".'
        ),
        "download.hash": (
            "got {size} bytes, their {algorithm} is {got} and should begin with {expected}: the file is cut off, was "
            "damaged on its way, or is another one"
        ),
        "download.html": (
            "an HTML page ({size} bytes) came in place of the file: proxies and networks with a login page do that"
        ),
        "download.network": "no connection, or it broke off ({error})",
        "download.no_checkpoint": "{size} bytes that are no PyTorch checkpoint, or not a whole one",
        "download.offline": (
            "The weights {name} are not in the cache and the network is off (LABKIT_OFFLINE). Download {url} on "
            'another computer and save it as {path}; unset LABKIT_OFFLINE; or use weights="embedded".'
        ),
        "download.status": "the server answered {status} {phrase}",
        "download.unreadable": "the file cannot be read ({error})",
        "download.unwritable": (
            "The folder {folder} cannot be written to ({error}). Name one that can in LABKIT_CACHE, or use "
            'weights="embedded".'
        ),
        "download.waiting": "Another process is downloading the weights {name}; waiting for it.",
        "download.zip_bomb": (
            "the file in the zip is suspiciously large ({size} bytes, compressed {ratio:.0f} times): not unpacked"
        ),
        "download.zip_broken": "the zip is damaged ({error})",
        "download.zip_members": "the zip holds {count} weights files instead of one",
        "explain.aspp_adds": "{name}\nadds up to {high}",
        "explain.aspp_agreed": "{label}, as in the full answer",
        "explain.aspp_all": "all branches",
        "explain.aspp_alone": "alone",
        "explain.aspp_anything": "objects",
        "explain.aspp_branch": "branch",
        "explain.aspp_extra": "too much",
        "explain.aspp_lost": "lost",
        "explain.aspp_none": "The network {given} has no ASPP. Load variant 1: labkit.load_model(1).",
        "explain.aspp_photo": "Photo {name}. IoU of the mask of {label} with the network's full answer.",
        "explain.aspp_pooling": "mean of the map",
        "explain.aspp_silent": "Without all of them: {score}.",
        "explain.aspp_without": "all but this one",
        "explain.atrous_beyond": "beyond the map's edge: zeros",
        "explain.atrous_inside": "on the map",
        "explain.atrous_kernel": "kernel's weights",
        "explain.atrous_layer": "layer's weights",
        "explain.atrous_map": (
            "Photo {name}: a feature map of {width}×{height}, each cell {stride}×{stride} pixels of the input."
        ),
        "explain.atrous_of": "{inside} of {all}",
        "explain.atrous_pixels": "input pixels",
        "explain.atrous_seen": "a cell that the answer in the middle depends on",
        "explain.atrous_span": "spans",
        "explain.atrous_title": "rate {rate}: spans {span}×{span}\non the map {inside} of {all}",
        "explain.counting_class": "class",
        "explain.counting_doubled_name": "{name} and its mirror image",
        "explain.counting_none": "No two objects of one class were found here.",
        "explain.counting_objects": "objects",
        "explain.counting_objects_title": "instance, objects: {count}",
        "explain.counting_regions": "connected regions",
        "explain.counting_regions_title": "semantic, connected regions: {count}",
        "explain.counting_right": (
            "A photo with its mirror image has at least two objects. Two or more were counted: by objects on "
            "{objects} of {photos}, by connected regions on {regions} of {photos}."
        ),
        "explain.crf_after": "input {side}: with CRF",
        "explain.crf_alpha": "θα: nearness, pixels of the grid",
        "explain.crf_appearance": "w1: weight of similar colours",
        "explain.crf_before": "input {side}: network",
        "explain.crf_beta": "θβ: likeness of colour",
        "explain.crf_boundary": "Boundary IoU with the reference; the input is the network's setting working_side.",
        "explain.crf_gained": "another class now",
        "explain.crf_gamma": "θγ: neighbourhood, pixels of the grid",
        "explain.crf_iterations": "steps of mean field",
        "explain.crf_kept": "stayed as it was",
        "explain.crf_lost": "background now",
        "explain.crf_mean": "mean",
        "explain.crf_no_reference": (
            "There are no references: put NAME.json (labelme) or NAME.mask.png next to a photo to see boundary IoU "
            "here."
        ),
        "explain.crf_score": "boundary IoU {score}",
        "explain.crf_share": "the CRF changed\n{share} % of pixels",
        "explain.crf_smoothness": "w2: weight of close neighbours",
        "explain.detection_box": "box, px",
        "explain.detection_found": "objects found: {count}",
        "explain.detection_level": "level",
        "explain.detection_no_parts": (
            "{given}: this network has neither the RPN nor the heads of Mask R-CNN. Load variant 6: "
            "labkit.load_model(6)."
        ),
        "explain.detection_rpn_only": ", RPN only",
        "explain.detection_side": "√(width·height)",
        "explain.detection_stride": "P{number}: stride {stride}",
        "explain.fcn_both": "shared boundary",
        "explain.fcn_boundary": "boundary IoU",
        "explain.fcn_coarse": "the coarser net alone",
        "explain.fcn_fine": "FCN-8s alone",
        "explain.fcn_heat": "{label}: up to {peak}",
        "explain.fcn_no_skips": (
            "The network with the weights {name} has no skip connections, so there is no FCN-32s, 16s and 8s to "
            'compare. Load labkit.load_model(3, weights="embedded").'
        ),
        "explain.fcn_none": "The network {given} has no class map of an FCN. Load variant 3: labkit.load_model(3).",
        "explain.fcn_scale": "probability of the class",
        "explain.fcn_size": "input {height}×{width},\nmap {rows}×{columns}",
        "explain.heads_boxes": "box: dashed, the RPN's proposal;\nsolid, as refined",
        "explain.heads_chosen": "chosen",
        "explain.heads_class": "{name}\nclass {score}",
        "explain.heads_moved": "{number}: IoU with its proposal {moved}",
        "explain.heads_other": "IoU with chosen {overlap}",
        "explain.heads_pasted": "the mask on the photo",
        "explain.heads_rejected": "{number}: background, dropped",
        "explain.heads_total": (
            "In one cell the mask probabilities of all classes ({classes}) add up to as much as {total}; a "
            "softmax would give 1."
        ),
        "explain.proposals_after": "after NMS",
        "explain.proposals_anchors": "anchors",
        "explain.proposals_before": "before NMS",
        "explain.proposals_level": "level",
        "explain.proposals_pairs": "pairs with an IoU above {least}: {count}",
        "explain.proposals_passed": "passed on",
        "explain.proposals_shown_after": "after NMS: the best {count} of {all}",
        "explain.proposals_shown_before": "before NMS: the best {count} of {all}",
        "explain.proposals_slider": "Proposals to draw",
        "explain.proposals_sum": "all",
        "explain.pyramid_against": "it lowers it",
        "explain.pyramid_all": "without the pyramid",
        "explain.pyramid_changed": "changed class",
        "explain.pyramid_for": "the level raises the probability of {label}",
        "explain.pyramid_iou": "IoU with full answer",
        "explain.pyramid_kept": "{label}, as in the full answer",
        "explain.pyramid_lost": "was {label}, now another class",
        "explain.pyramid_map": "map {size}×{size}\nstrength {values}",
        "explain.pyramid_missing": (
            "The network {given} has no pyramid of PSPNet. Load variant 5: labkit.load_model(5)."
        ),
        "explain.pyramid_other": "other changes",
        "explain.pyramid_photo": "Photo {name}. The IoU is that of the class {label}.",
        "explain.pyramid_same": "nothing changed",
        "explain.pyramid_scores": "changed class: {share} %",
        "explain.pyramid_size": "The pyramid has no levels {given}. Valid: {valid}.",
        "explain.pyramid_swap": "commonest change",
        "explain.pyramid_vote": "contribution {size}×{size}\n{values}",
        "explain.pyramid_with": "with the pyramid",
        "explain.pyramid_without": "without {sizes}",
        "explain.sam_axis_predicted": "predicted IoU",
        "explain.sam_axis_true": "true IoU",
        "explain.sam_box": "box",
        "explain.sam_components": "embedding {rows}×{columns},\n{share} of the variance",
        "explain.sam_contour": "contour",
        "explain.sam_cost": (
            "Image encoder: {embedding} billion operations, once a photo.\nOne prompt: {prompt} billion "
            "operations.\nThe embedding costs as much as {ratio} prompts."
        ),
        "explain.sam_count": "{count} vectors",
        "explain.sam_dense": "dense map",
        "explain.sam_dense_mask": "of the prompt's map",
        "explain.sam_dense_none": "no mask: one vector everywhere",
        "explain.sam_embedding": "embedding",
        "explain.sam_input": "encoder's input",
        "explain.sam_logits": "logits",
        "explain.sam_mask": "SAM's mask,\npredicted IoU {score}",
        "explain.sam_needed": "SAM shows this, and the model is {given}. Load variant 4: labkit.load_model(4).",
        "explain.sam_no_outline": (
            "None of the photos has an outline, so the true IoU is unknown. Outline the object in labelme and put "
            "NAME.json beside the photo."
        ),
        "explain.sam_no_stranger": (
            "On these photos the automatic mode found no object that is background to the other network."
        ),
        "explain.sam_numbers": "numbers",
        "explain.sam_outlined": "point and outline",
        "explain.sam_photo": "photo",
        "explain.sam_place": "one place: {stride}×{stride} px of the input, about {pixels}×{pixels} of the photo",
        "explain.sam_point": "point",
        "explain.sam_point_box": "point and box",
        "explain.sam_predicted": "answer {number}: {score}",
        "explain.sam_prompt": "prompt",
        "explain.sam_rank": "answer {number}",
        "explain.sam_ranking": (
            "The first answer is worse than the best of the three by more than {by} IoU on {worse} of {photos} "
            "photos.\nMean IoU with the outline: first answer {first}, best of the three {best}; predicted for the "
            "first {predicted}."
        ),
        "explain.sam_seconds": "On this computer just now: embedding {embedding} ms, prompt {prompt} ms.",
        "explain.sam_semantic": "{title} on the mask:",
        "explain.sam_size": "size",
        "explain.sam_token_names": "what they stand for",
        "explain.sam_token_no_box": '"no box"',
        "explain.sam_token_point": "object point",
        "explain.sam_tokens": "vectors",
        "explain.sam_tokens_box": "two corners of the box",
        "explain.sam_true": "in truth {iou}",
        "explain.sam_what": "what",
        "explain.transposed_bilinear": "bilinear kernel:\nstart of training",
        "explain.transposed_change": "difference: {moved} % of the norm,\ncosine {likeness}",
        "explain.transposed_empty": (
            "The output is empty: o = (i − 1)·s + k − 2p = {o} for i = {i}, k = {k}, s = {s}, p = {p}. Take p up to "
            "{most}, or a larger i."
        ),
        "explain.transposed_i": "input i",
        "explain.transposed_input": "input\n{rows}×{columns}",
        "explain.transposed_inserted": "z = {z}: zeros\nbetween cells,\n{rows}×{columns}",
        "explain.transposed_k": "kernel k",
        "explain.transposed_kernel": "kernel\n{rows}×{columns}",
        "explain.transposed_learned": "learned kernel:\n{label}",
        "explain.transposed_none": (
            "The network with the weights {name} has no learned transposed convolution: it enlarges its map by "
            'interpolation. Load labkit.load_model(3, weights="embedded").'
        ),
        "explain.transposed_output": "output\n{rows}×{columns}",
        "explain.transposed_p": "padding p",
        "explain.transposed_padded": "p′ = {border}: zeros\naround,\n{rows}×{columns}",
        "explain.transposed_refused": (
            "Transposed convolution: k = {k}, s = {s}, p = {p} do not fit. Choose k ≥ 1, s ≥ 1 and p from 0 to k − 1 = "
            "{most}."
        ),
        "explain.transposed_rotated": "kernel\nrotated\nby 180°",
        "explain.transposed_s": "stride s",
        "explain.unet_agreed": "agrees with the truth",
        "explain.unet_all": "all skips",
        "explain.unet_bottom": "bottom",
        "explain.unet_boundary": "boundary IoU",
        "explain.unet_contracting": "contracting path",
        "explain.unet_down": "half the size",
        "explain.unet_expanding": "expanding path",
        "explain.unet_extra": "too much",
        "explain.unet_fill": "fill = {given!r}: valid are {valid}.",
        "explain.unet_joined": "skip",
        "explain.unet_level": "level",
        "explain.unet_lost": "lost",
        "explain.unet_missing": (
            "The network {given} has no U-Net with its skips. Load variant 2: labkit.load_model(2)."
        ),
        "explain.unet_none": "without any skip",
        "explain.unet_nothing": (
            "The network found nothing on the photo {name}: nothing to compare. Take one with an object found."
        ),
        "explain.unet_output": "output",
        "explain.unet_own": "Photo {name}, class {label}. No reference shows it: the truth is the mask with all skips.",
        "explain.unet_reference": "Photo {name}, class {label}. The truth is the reference that a person outlined.",
        "explain.unet_scores": "IoU {iou}, boundary {boundary}",
        "explain.unet_skip": "skip connection (+ number of channels)",
        "explain.unet_up": "twice the size",
        "explain.unet_without": "without skip {scale}",
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
        "grade.differs": "page and data disagree",
        "grade.edited": "changed after it was made",
        "grade.edited_data": "the data were changed after the report was made",
        "grade.edited_page": "the page was edited, or saved again by a browser; the data are whole",
        "grade.edited_unsealed": "the checksum is missing: the report was not made by labkit, or was changed",
        "grade.kit_photos": "the kit's photos",
        "grade.kit_told": "photos of the kit and not the student's own: {names}",
        "grade.lost_crashed": "the processing of this file broke off; the others are not concerned",
        "grade.lost_failed": "the file could not be processed ({error})",
        "grade.lost_memory": "the file needs too much memory",
        "grade.lost_slow": "the file took too much time and was stopped",
        "grade.no_folder": (
            "There is no folder {folder}. Give the one with the handed-in reports: .html, .ipynb or .zip of them."
        ),
        "grade.no_workers": "The worker processes could not be started. Run the command labkit grade FOLDER.",
        "grade.not_checked": "masks not checked",
        "grade.not_own": "the masks are not the model's: IoU below {least} on {count} photos: {names}",
        "grade.not_own_masks": "masks are not the model's",
        "grade.nothing": "There is no report in {folder}: no .html, no .ipynb, no .zip of them.",
        "grade.reading": "Reports",
        "grade.running": "Masks again",
        "grade.same_photos": "the same photos",
        "grade.same_text": "the same text",
        "grade.unreadable": "unreadable",
        "gradebook.answers": "Answers",
        "gradebook.ascending": "{column}: ascending",
        "gradebook.by_variant": "variant {variant}: {count}",
        "gradebook.caption": (
            "Handed-in reports. The button in a column's header sorts the table, the one with a student's name opens "
            "the details."
        ),
        "gradebook.checks": "Checks",
        "gradebook.clear": "Clear",
        "gradebook.collapse_all": "Close all",
        "gradebook.comment": "Comment",
        "gradebook.comment_on": "Comment: {student}",
        "gradebook.conclusions": "Conclusions",
        "gradebook.crosses": "with failed checks: {count}",
        "gradebook.date": "Date",
        "gradebook.descending": "{column}: descending",
        "gradebook.expand_all": "Open all",
        "gradebook.failed": "failed",
        "gradebook.failures": "What failed",
        "gradebook.file": "File",
        "gradebook.found": "found",
        "gradebook.group": "Group",
        "gradebook.heading": "Handed-in reports",
        "gradebook.hint": (
            "All on this page is text that was read from the reports' data. A link opens the student's own file, and "
            "the browser runs its scripts."
        ),
        "gradebook.iou": "Least IoU",
        "gradebook.iou_legend": (
            "A photo's IoU compares the report's masks with those that the same weights give on the same photo here: "
            "intersection over union of all segments together, or that of a segment of more than 1 % of the photo "
            "where it is smaller (0 where the segment is missing or too much). Pixels and objects of which the model "
            "itself is not sure do not count: another machine rounds otherwise, and an honest report has about 1."
        ),
        "gradebook.iou_low": "below {least}",
        "gradebook.load": "Load marks…",
        "gradebook.load_failed": (
            "{name}: no marks in this file. Valid is a grades.html or grades.csv that was saved from this page."
        ),
        "gradebook.loaded": (
            "{name}: marks and comments loaded: {loaded}; not in this table: {unknown}; no number: {refused}."
        ),
        "gradebook.mark": "Mark",
        "gradebook.mark_of": "Mark: {student}",
        "gradebook.model": "Model",
        "gradebook.more": "and {count} more",
        "gradebook.no": "no",
        "gradebook.no_group": "no group",
        "gradebook.no_javascript": "The table needs JavaScript. The same without it is in grades.csv beside this page.",
        "gradebook.no_name": "no name",
        "gradebook.no_result": "no result",
        "gradebook.not_found": "not found",
        "gradebook.not_kept": "This browser does not keep the marks: save the page before you close it.",
        "gradebook.nothing": "No such rows.",
        "gradebook.only_crosses": "Failed checks",
        "gradebook.only_remarks": "With remarks",
        "gradebook.only_unmarked": "Without a mark",
        "gradebook.open": "Open the report",
        "gradebook.order": "Order",
        "gradebook.passed": "passed",
        "gradebook.passed_of": "{passed} of {count} passed",
        "gradebook.photos": "Photos",
        "gradebook.remarks": "Remarks",
        "gradebook.reports": "Files: {count}",
        "gradebook.restored": "Marks and comments taken from this browser: {count}.",
        "gradebook.save_csv": "Save the CSV",
        "gradebook.save_page": "Save the page with the marks",
        "gradebook.saved": "No unsaved changes.",
        "gradebook.search": "Search",
        "gradebook.shown": "Shown: {shown} of {count}",
        "gradebook.student": "Student",
        "gradebook.unmarked": "without a mark: {count}",
        "gradebook.unreadable": "unreadable: {count}",
        "gradebook.unsaved": "Not saved to a file: {count}.",
        "gradebook.unwritable": (
            "{path} was not written ({error}). Close it in other programs and run the grading again."
        ),
        "gradebook.variant": "Variant",
        "gradebook.weights": "Weights",
        "gradebook.with_remarks": "with remarks: {count}",
        "gradebook.yes": "yes",
        "hand_in.busy": "Writing the report…",
        "hand_in.button": "Write the report",
        "hand_in.not_found": (
            "The notebook's file was not found. Save it as {name} in the current folder and press again, or "
            "run in a terminal: python -m labkit report {variant}."
        ),
        "hand_in.not_saved": (
            "The saved notebook does not have the results of this run yet. Save it (Ctrl+S) and press the button again."
        ),
        "hand_in.unreadable": "The notebook {path} cannot be read ({error}). Save it and press the button again.",
        "hand_in.written": "The report is written: {path}",
        "handed.climbs": "this path in the zip leads out of it; the file was not touched",
        "handed.cut": "the report's data break off: the file was not written to its end; ask for it again",
        "handed.data": "the report's data are damaged ({error})",
        "handed.deep": "the data are nested too deep; labkit writes no such file",
        "handed.empty": "the file is empty",
        "handed.foreign": "{suffix} is no report; wanted is .html, .ipynb or a .zip of them",
        "handed.large": "the file is above the limit of {limit} MB",
        "handed.link": "a link that leads out of the folder; it was not followed",
        "handed.many": "the zip holds more than {limit} reports; the others were not read, split it",
        "handed.masks": "too many masks: no real report has so many",
        "handed.nested": "a zip in a zip in a zip is not opened; unpack it yourself",
        "handed.no_block": (
            "the file has no report's data: another page, or a report of an old version; ask for a new report"
        ),
        "handed.not_run": "the notebook has no report's data: its last cell was not run",
        "handed.notebook": "the notebook cannot be read ({error})",
        "handed.nothing": "the zip holds no report: no .html, no .ipynb",
        "handed.pixels": "a mask of {width}x{height} pixels; a report has no more than {limit} pixels",
        "handed.two_blocks": "the file holds more than one report's data; labkit writes no such file",
        "handed.unreadable": "the file cannot be read ({error})",
        "language": "en",
        "model.choice": "{name} = {given!r}: valid are {valid}.",
        "model.device": (
            'There is no device {given!r} here. Valid are auto and cpu, and cuda with an NVIDIA GPU; try device="auto".'
        ),
        "model.failed": "{name}: not done: {reason}",
        "model.memory": "{name}: there is not enough memory even for the smallest size; close other programs.",
        "model.memory_batch": "The GPU's memory was not enough: from now on at most {count} photos at once.",
        "model.memory_cpu": "The GPU's memory was not enough even so: the processor goes on.",
        "model.memory_points": "The GPU's memory was not enough: from now on at most {count} points at once.",
        "model.memory_side": "Memory was not enough: the working side is now {side} pixels.",
        "model.progress": "Segmenting",
        "model.range": "{name} = {given!r}: it must be a number from {low} to {high}, usually {value}.",
        "model.setting": "No such setting: {given}. This model has: {valid}.",
        "pairs.again": "the same student has handed this in again: {files}",
        "pairs.answers": "the same answer ({questions}) as in {files}",
        "pairs.conclusions": "conclusions",
        "pairs.photos": "{count} of {total} photos ({names}) are also in {files}",
        "pairs.text": "the same text as in {files}",
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
        "photos.zip_total": "the files in the zip are together above the limit of {limit} MB; split it",
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
        "recompute.absent": "the report does not carry the photo",
        "recompute.dear": "the setting {name} = {value} takes too long to compute, it is checked up to {most}",
        "recompute.failed": "error: {error}",
        "recompute.former": "{name} are weights of an earlier version of the kit, which are not here",
        "recompute.masks": "the masks in the data are damaged",
        "recompute.model": "the kit has no such model, or the model takes no prompts",
        "recompute.not_here": "the weights {name} are not on this machine (get them: labkit weights fetch {release})",
        "recompute.nothing": "Masks were not recomputed: the report has no result.",
        "recompute.photo": "the photo in the report is of another size or kind than the result",
        "recompute.prompts": "the prompts in the data are damaged",
        "recompute.setting": "the model has no setting {name} with the value {value}",
        "recompute.sha256": "the sha256 of the weights {name} is not the catalogue's",
        "recompute.time": "time ran out, {seconds} s a report",
        "recompute.unchecked": "Masks were not recomputed: {what}.",
        "recompute.unknown": "the weights {name} are not in the catalogue",
        "references.aspect": (
            "the mask is {width}×{height}, the photo {photo_width}×{photo_height}: their shapes differ. Label "
            "the whole photo, upright as it is seen on the screen"
        ),
        "references.binary": (
            "the mask has only 0 and 255: it says where an object is and not which. Name the file "
            "{stem}.CLASS{ending}, as in {stem}.cat{ending}; {stem}{ending} holds label ids"
        ),
        "references.coco": (
            "it looks like COCO JSON and cannot be read ({error}). It needs images (id, file_name, width, "
            "height), annotations (image_id, category_id, segmentation) and categories (id, name)"
        ),
        "references.corners": "outline {number} has {count} points; 3 or more make a mask. Draw it again",
        "references.json": "this is no JSON, or it is damaged ({error}). Save the labels again",
        "references.label": "there is no class {label!r} in {classes}. Valid: {valid}",
        "references.labelme": (
            "this is no labelme file ({error}): it needs shapes, imageWidth and imageHeight. Save it in labelme again"
        ),
        "references.large": (
            "the file is larger than {limit} MB. Turn off “Save With Image Data” in labelme; split a COCO JSON"
        ),
        "references.many": (
            "{objects} objects and {points} points of outlines; of a photo at most {most_objects} objects and "
            "{most_points} points are read. Keep the main objects"
        ),
        "references.mode": (
            "its pixels are {mode}; label ids are an 8-bit PNG, grey or with a palette. Name a mask of one class "
            "NAME.CLASS.mask.png"
        ),
        "references.outside": "outline {number} lies far outside of the photo. See whether it is this photo's",
        "references.part": "the mask of shape {number} cannot be read ({error}). Draw the object again",
        "references.pixels": "the mask has more than {limit} million pixels. Scale it down together with the photo",
        "references.png": "this is no PNG, or it is damaged ({error}). Save the mask as PNG again",
        "references.points": (
            "the coordinates of outline {number} cannot be read: pairs of numbers are needed. Draw it again"
        ),
        "references.rle": (
            "the mask of object {number} (RLE) is damaged or not of the picture's size. Export the labels again"
        ),
        "references.shape": (
            "shape {number} is a {kind!r} of {count} points and no mask. Valid are polygon, oriented_rectangle of "
            "four points, and rectangle, circle and mask of two"
        ),
        "references.size": (
            "the picture's size is {width}×{height}; whole numbers from 1 to {limit} are needed. Save the labels again"
        ),
        "references.twice": (
            "the picture {photo} stands there several times. Keep one entry, or name the photos differently"
        ),
        "references.values": (
            "the mask has the ids {found}; {classes} has 0 to {last} and 255 (not labelled). Correct the ids"
        ),
        "report.comparison": "Comparison of the six variants",
        "report.date": "Date",
        "report.device": "Device",
        "report.group": "Group",
        "report.heading": "Variant",
        "report.hide_code": "Hide code",
        "report.no_notebook": (
            "The notebook {name} was not found: run this in the kit's folder (where notebooks/ is)."
        ),
        "report.photos": "Photos and their sha256",
        "report.printed": "The viewer with sliders is in the report's file; the figures for print are above.",
        "report.reason": "Why these weights",
        "report.settings": "Settings",
        "report.sha256": "sha256 of the weights",
        "report.show_code": "Show code",
        "report.stopped": "code cell {cell}: {reason}",
        "report.student": "Student",
        "report.unfinished": "The run stopped:",
        "report.variant": "Variant",
        "report.versions": "Versions",
        "report.weights": "Weights",
        "scores.accuracy": "accuracy",
        "scores.all": "all photos",
        "scores.beyond": "SAM took too much: this is no {label}",
        "scores.broken": "A mask could not be read: {note}",
        "scores.by_model": "model\n(in a square: % of the class's pixels)",
        "scores.by_reference": "reference",
        "scores.class": "class",
        "scores.confusion": "confusion matrix, % of the pixels of a class",
        "scores.flat": (
            "AP50 and PQ need masks that tell objects apart (labelme, COCO or NAME.CLASS.1.mask.png); these photos "
            "have none: {names}."
        ),
        "scores.foreign": "The model does not know these classes, their pixels count as wrong: {names}.",
        "scores.mean": (
            "Mean IoU over the classes of the reference {mean}; {accuracy} of all labelled pixels have the right class."
        ),
        "scores.mean_objects": "Mean IoU {mean}, objects in the reference: {count}.",
        "scores.mean_row": "mean",
        "scores.missed": "SAM left out: {label}",
        "scores.mistaken": "reference: {said}, model: {given}",
        "scores.model_outline": "the model's border",
        "scores.no_classes": "SAM knows no classes, so there is no confusion matrix.",
        "scores.no_masks": (
            "There is nothing to compare with: no photo has a mask. Outline the objects in labelme and put the "
            ".json files next to the photos (or masks NAME.CLASS.mask.png, for example cat_1.cat.mask.png, or a "
            "COCO JSON), then run the notebook again."
        ),
        "scores.no_mistakes": "No mistake covers even 0.1 % of a photo.",
        "scores.object": "object",
        "scores.objects": "in reference",
        "scores.reference_outline": "the reference's border",
        "scores.share": "{share} % of the photo",
        "scores.without": "Photos without masks: {names}.",
        "scores.wrong": "wrong",
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
        "upload.button": "Upload photos",
        "upload.empty": "{name}: no photo in the archive",
        "upload.failed": "{name}: not saved ({error})",
        "upload.not_photo": "{name}: not a photo; valid are JPEG, PNG, WebP, BMP, TIFF, GIF, HEIC, AVIF and zip",
        "upload.page": "The upload button is there when the notebook is open and this cell has been run.",
        "upload.progress": "File {number} of {count} is on its way: {name}",
        "upload.renamed": "{name}: saved as {other}, since another photo has that name already",
        "upload.same": "{name}: the folder has this photo already ({other})",
        "upload.state": 'Photos in the folder {folder}: {count}. Write among the parameters: photos_path = "{folder}"',
        "upload.too_large": (
            "{name}: {megabytes} MB, over the limit of {limit} MB; make the photo smaller or split the archive"
        ),
        "upload.waiting": "The files are on their way; if other cells are running, wait until they are done.",
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
        "weights.auto_classes": "chosen automatically: the published U-Net knows people only, this one 20 classes",
        "weights.auto_gpu": "chosen automatically: there is a GPU, and the file is downloaded and verified",
        "weights.auto_no_gpu": "chosen automatically: no GPU, and the embedded ones are quick and need no network",
        "weights.auto_not_had": "chosen automatically: the official ones could not be had ({reason})",
        "weights.broken": (
            'The weights file {path} is damaged or does not fit ({error}). Get it again or use weights="embedded".'
        ),
        "weights.cache": "Downloaded weights lie in {path}",
        "weights.cached": "downloaded",
        "weights.embedded_reason": "as asked",
        "weights.fetch_what": "Fetch what? Name a variant or a row of labkit weights list: labkit weights fetch 1.",
        "weights.file_reason": "a file was named",
        "weights.foreign": (
            "{path} is no weights file of labkit. Valid is a .safetensors that labkit train wrote, or "
            'weights="embedded".'
        ),
        "weights.hash": (
            "The embedded file {path} was changed: expected sha256 {expected}, got {got}. Install labkit again."
        ),
        "weights.missing": "There is no weights file {path}. Give auto, embedded, official or the path of a file.",
        "weights.no_classes": "no classes",
        "weights.no_release": "{variant} has no official weights {given}. Valid: {valid}.",
        "weights.not_cached": "not downloaded",
        "weights.official_reason": "as asked",
        "weights.other_variant": (
            '{path} holds weights of {found}, but {variant} is wanted. Give that model\'s file or weights="embedded".'
        ),
        "weights.taken": "Weights: {name} ({reason})",
        "weights.unsafe": (
            "The weights file {path} holds code, not only numbers; such files are not opened. Fetch the catalogue's "
            "weights again (labkit weights fetch) or save the tensors alone: torch.save(model.state_dict(), …)."
        ),
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


def decimal(value: float, digits: int, language: str | None = None) -> str:
    """A number for a reader: with a decimal comma in Russian."""
    return f"{value:.{digits}f}".replace(".", "," if text("language", language) == "ru" else ".")
